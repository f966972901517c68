"""A study in the terminal, its tables within the width of it."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from luthier.comparison.wording import duration
from luthier.evaluation.wording import listed, metric_name, shortened
from luthier.tuning.result import StudyResult
from luthier.tuning.wording import headline, short_names, space_sentence, states_sentence, trial_rows, value_rows

# Beside the searched fields, of which as many follow as there is room for.
FIRST, LAST = ("trial", "state"), ("steps", "origin")
LONGEST_VALUE, LONGEST_ORIGIN = 12, 18
# Wider than any table.
ENDLESS = 10_000


def print_study(result: StudyResult, console: Console, *, page: Path) -> None:
    """The best, its values, the revisions, all trials, what failed; ``page`` is where the HTML lies."""
    console.print()
    console.print(Text.assemble((f"{result.recipe}, round {result.round}", "bold"), "  ", headline(result)))
    console.print(Text(f"{states_sentence(result)}, in {duration(result.seconds)}; ended: {result.ended}"))
    console.print()
    console.print(_values(result))
    console.print()
    console.print(Text(space_sentence(result)))
    for revision in result.revisions:
        console.print(Text(f"- {revision}"))
    console.print()
    _print_trials(result, console)
    for trial in result.trials:
        if trial.failure is not None:
            console.print(Text(f"trial {trial.number} {trial.state}: {' '.join(trial.failure.split())}", style="red"))
    console.print(Text(f"\nReport    {page}"), soft_wrap=True)


def _values(result: StudyResult) -> Table:
    names = ["field", "recipe", "best", *(["importance"] if result.importances else []), "searched"]
    table = _table(names, left=("field", "searched"), wrapped="searched")
    for row in value_rows(result):
        short = {name: shortened(row[name], LONGEST_VALUE) for name in ("recipe", "best")}
        table.add_row(*(Text({**row, **short}[name]) for name in names))
    return table


def _print_trials(result: StudyResult, console: Console) -> None:
    """The most important fields first, as many as there is room for; the others are named below."""
    ranked = sorted(result.space, key=lambda dimension: -result.importances.get(dimension.field, 0.0))
    names = list(short_names(dimension.field for dimension in ranked).values())
    endless = console.options.update(width=ENDLESS)
    tables = [_trials(result, names[:count]) for count in range(len(names) + 1)]
    fitting = [table for table in tables if console.measure(table, options=endless).maximum <= console.width]
    count = max(len(fitting) - 1, 0)
    console.print(tables[count])
    if left := names[count:]:
        console.print(Text(f"No room for {listed(left)}: the report has them.", style="dim"))


def _trials(result: StudyResult, names: list[str]) -> Table:
    metric = metric_name(result.metric)
    shown = [*FIRST, metric, *LAST, *names]
    table = _table(shown, left=("state", "origin"))
    for trial, row in zip(result.trials, trial_rows(result), strict=True):
        style = "bold" if trial.number == result.best.number else None if trial.state == "complete" else "dim"
        cells = {name: shortened(row[name], LONGEST_VALUE) for name in names}
        cells["origin"] = shortened(trial.origin.removeprefix("the "), LONGEST_ORIGIN)
        table.add_row(*(Text({**row, **cells}[name]) for name in shown), style=style)
    return table


def _table(names: Sequence[str], *, left: Sequence[str], wrapped: str | None = None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=name != wrapped)
    return table
