"""The comparison as files: JSON, an HTML page, its pictures, and Markdown for the documentation."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luthier.comparison.comparison import MethodComparison, MethodResult, SeedResult
from luthier.comparison.page import memory_picture, parameters_picture, render_page
from luthier.comparison.wording import (
    cost_cells,
    expectation_sentences,
    hardware_sentence,
    headline,
    interval_sentence,
    scope_sentence,
    score_cells,
    tie_sentence,
)
from luthier.evaluation.wording import metric_name


def write_comparison(comparison: MethodComparison, folder: Path) -> None:
    """Writes comparison.json, comparison.html (one file that loads nothing), comparison.md and two PNGs."""
    text = json.dumps(asdict(comparison), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "comparison.json").write_text(text, encoding="utf-8")
    (folder / "comparison.html").write_text(render_page(comparison), encoding="utf-8")
    (folder / "comparison.md").write_text(as_markdown(comparison), encoding="utf-8")
    (folder / "parameters.png").write_bytes(parameters_picture(comparison, "png"))
    (folder / "memory.png").write_bytes(memory_picture(comparison, "png"))


def read_comparison(folder: Path) -> MethodComparison:
    """The comparison that ``write_comparison`` left in ``folder``."""
    full = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    return MethodComparison(
        **{**full, "seeds": tuple(full["seeds"]), "methods": tuple(_method(values) for values in full["methods"])}
    )


def _method(values: Mapping[str, Any]) -> MethodResult:
    return MethodResult(**{**values, "seeds": tuple(map(SeedResult.read, values["seeds"]))})


def table_rows(comparison: MethodComparison) -> list[dict[str, str]]:
    """The methods by score, as a table's cells by their headings."""
    rows = []
    for found in comparison.ranked:
        value, interval, spread = score_cells(comparison, found)
        scores = {metric_name(comparison.metric): value, "interval": interval, "seeds": spread}
        rows.append({"method": found.kind, **scores, **cost_cells(found)})
    return rows


def as_markdown(comparison: MethodComparison) -> str:
    """The table with its sentences."""
    rows = table_rows(comparison)
    lines = [_line(rows[0]), _line(["---", *["---:"] * (len(rows[0]) - 1)]), *(_line(row.values()) for row in rows)]
    failed = [f"- {kind} failed: {_one_line(reason)}" for kind, reason in comparison.failed.items()]
    left = [f"- {kind} was not tried: {_one_line(reason)}" for kind, reason in comparison.left_out.items()]
    parts = [
        " ".join(filter(None, [headline(comparison), tie_sentence(comparison)])),
        "\n".join(lines),
        f"{scope_sentence(comparison)} {interval_sentence(comparison)}",
        "\n".join([*failed, *left]),
        "Beside the literature:",
        "\n".join(f"- {sentence}" for sentence in expectation_sentences(comparison)),
        f"Seeds {', '.join(map(str, comparison.seeds))}; {hardware_sentence(comparison)}; {comparison.created}.",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())
