import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from luthier.comparison.comparison import MethodComparison, MethodResult
from luthier.comparison.terminal import print_comparison


def printed(comparison: MethodComparison) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_comparison(comparison, console, page=Path("comparison.html"))
    return console.file.getvalue()


def test_the_table_fits_eighty_columns_uncut_with_the_best_first(nine: Callable[..., MethodComparison]) -> None:
    lines = printed(nine()).splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("method "))
    assert [line.split()[0] for line in lines[head + 1 : head + 10]] == [found.kind for found in nine().ranked]
    assert "…" not in "".join(lines)


def test_failures_stand_with_their_reasons_and_mark_nothing_up(nine: Callable[..., MethodComparison]) -> None:
    failed = MethodResult("ia3", {}, {}, failure="[red]it broke[/red]")
    text = printed(replace(nine(left_out={"prefix": "no keys"}), methods=(*nine().methods[:2], failed)))
    assert "ia3 failed: [red]it broke[/red]" in text
    assert "prefix was not tried: no keys" in text
