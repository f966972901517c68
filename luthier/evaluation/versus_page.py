"""Two compared reports as one HTML page that loads nothing, and as tables of a terminal."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from luthier.evaluation.page_environment import page_environment
from luthier.evaluation.versus import Versus
from luthier.evaluation.wording import filters, metric_name, shortened

if TYPE_CHECKING:
    from rich.console import Console

TEXT_LENGTH = 240
IN_TERMINAL = 70


def render_versus(found: Versus) -> str:
    """The page: who is better, metric by metric, what differs, which rows were gained and lost."""
    environment = page_environment()
    environment.filters.update(filters(TEXT_LENGTH))
    return environment.get_template("versus.html.j2").render(found=found)


def print_versus(found: Versus, console: "Console") -> None:
    """The same in a terminal, rows cut short."""
    console.print(f"\n{found.sentence}\n", markup=False, highlight=False)
    _print_table(
        console,
        ("", found.first, found.second, "gain"),
        [(metric_name(m.metric), " ".join(m.first), " ".join(m.second), m.said_gain) for m in found.metrics],
    )
    for title, rows in (("setting", found.settings), ("data", found.data), ("F1 of label", found.labels)):
        if rows:
            console.print()
            _print_table(console, (title, found.first, found.second), rows)
    for title, count, changed in found.changed:
        if changed:
            console.print(f"\n{title}: {count:,} rows", markup=False, highlight=False)
            cells = [[shortened(t, IN_TERMINAL) for t in (r.text, r.expected, r.first, r.second)] for r in changed]
            _print_table(console, ("text", "label", found.first, found.second), cells)


def _print_table(console: "Console", heads: tuple[str, ...], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(Text(head), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
