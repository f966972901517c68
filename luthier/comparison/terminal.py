"""The comparison in the terminal, its table within 80 columns."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from luthier.comparison.comparison import MethodComparison
from luthier.comparison.report import table_rows
from luthier.comparison.wording import expectation_sentences, headline, tie_sentence

# Within 80 columns the interval says more than the spread, the count more than the share.
LEFT_OUT = ("seeds", "share", "training", "1,000 rows")


def print_comparison(comparison: MethodComparison, console: Console, *, page: Path) -> None:
    """The best, the table, the literature, what failed; ``page`` is where the HTML lies."""
    console.print()
    console.print(Text.assemble((comparison.recipe, "bold"), "  ", headline(comparison)))
    if tie := tie_sentence(comparison):
        console.print(Text(tie))
    console.print()
    console.print(_table(comparison))
    console.print()
    for sentence in expectation_sentences(comparison):
        console.print(Text(sentence))
    for kind, reason in comparison.failed.items():
        console.print(Text(f"{kind} failed: {reason}", style="red"))
    for kind, reason in comparison.left_out.items():
        console.print(Text(f"{kind} was not tried: {reason}", style="dim"))
    console.print(Text(f"\nReport    {page}"), soft_wrap=True)


def _table(comparison: MethodComparison) -> Table:
    rows = [{name: cell for name, cell in row.items() if name not in LEFT_OUT} for row in table_rows(comparison)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "method" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row.values(), style="bold" if row["method"] == comparison.own else None)
    return table
