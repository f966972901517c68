"""The data report in the terminal, within 80 columns."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from luthier.data.splitting import SPLITS
from luthier.data_report.report import DataReport
from luthier.data_report.wording import (
    estimate_sentence,
    leaks_by_kind,
    most_first,
    nearest_sentence,
    rows_sentence,
    share,
    truncation_sentence,
    verdict_sentence,
)

WIDTH = 96
MOST_LABELS, MOST_REASONS, LONGEST_NAME = 12, 8, 28
BLOCKS = " ▁▂▃▄▅▆▇█"


def print_data_report(report: DataReport, console: Console, *, page: Path | None = None) -> None:
    """The verdict, labels by split, lengths, reasons and the nearest pair; ``page`` is where the HTML lies."""
    width = min(console.width, WIDTH)
    style = "bold red" if leaks_by_kind(report) else "bold green"
    blocks: list[Text | Table] = [
        Text.assemble((report.recipe, "bold"), "  ", (verdict_sentence(report), style)),
        Text(rows_sentence(report)),
        _splits(report),
        Text(" ".join(filter(None, [truncation_sentence(report), estimate_sentence(report)]))),
        _lengths(report),
        _reasons(report),
        _nearest(report, width),
    ]
    for block in blocks:
        console.print()
        console.print(block, width=width)
    if page is not None:
        console.print()
        console.print(Text(f"Report    {page}"), soft_wrap=True)


def _splits(report: DataReport) -> Table:
    table = _table("label" if report.labels else "")
    for split in SPLITS:
        table.add_column(split, justify="right")
        table.add_column("", justify="right", style="dim")
    totals = [cell for split in SPLITS for cell in (f"{report.rows[split]:,}", "")]
    table.add_row("all rows", *totals, style="bold")
    balance = report.facts["balance"]
    for label in report.labels[:MOST_LABELS]:
        cells = [
            cell
            for split in SPLITS
            for cell in (f"{balance[split][label]:,}", share(balance[split][label], report.rows[split]))
        ]
        table.add_row(Text(label), *cells)
    if len(report.labels) > MOST_LABELS:
        table.add_row(f"... and {len(report.labels) - MOST_LABELS:,} more", style="dim")
    return table


def _lengths(report: DataReport) -> Table:
    table = _table("tokens")
    table.add_column("", no_wrap=True)
    for name in ("median", "95 %", "longest"):
        table.add_column(name, justify="right")
    for split, lengths in report.lengths.items():
        bars = Text(_sparkline(lengths.counts), style="cyan")
        table.add_row(split, bars, f"{lengths.median:,.0f}", f"{lengths.p95:,.0f}", f"{lengths.longest:,}")
    (end,) = {lengths.edges[-1] for lengths in report.lengths.values()}
    bins = max(len(lengths.counts) for lengths in report.lengths.values())
    table.add_row("", Text(f"0{end:>{max(bins - 1, 1)},}"), style="dim")
    return table


def _sparkline(counts: tuple[int, ...]) -> str:
    """One character a bin; a bin with a text in it is never blank."""
    top = max(max(counts), 1)
    return "".join(BLOCKS[-(-count * (len(BLOCKS) - 1) // top)] for count in counts)


def _reasons(report: DataReport) -> Table:
    table = _table("rejected because", longest=48)
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right", style="dim")
    reasons = most_first(report.facts["rejected_by_reason"])
    for reason, number in reasons[:MOST_REASONS]:
        table.add_row(Text(reason), f"{number:,}", share(number, report.rows["raw"]))
    if len(reasons) > MOST_REASONS:
        table.add_row(f"... and {len(reasons) - MOST_REASONS:,} more", style="dim")
    if not reasons:
        table.add_row("nothing", "0", "")
    return table


def _nearest(report: DataReport, width: int) -> Text:
    lines = [Text(nearest_sentence(report))]
    nearest = report.leaks["nearest"]
    for side in ("a", "b") if nearest is not None else ():
        line = Text(f"{nearest[f'split_{side}']:<11} {nearest[f'text_{side}']}")
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return Text("\n").join(lines)


def _table(first: str, longest: int = LONGEST_NAME) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, max_width=longest, no_wrap=True, overflow="ellipsis")
    return table
