"""The data report of one recipe: what a cleaned_splits folder holds, gathered for people to judge."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from luthier.data.splitting import SPLITS
from luthier.data.tables import read_facts, write_facts
from luthier.data.text import BETWEEN, joined
from luthier.data_report.lengths import Lengths, evenly_spaced

PREVIEW_ROWS, EXAMPLES_A_REASON, MOST_REASONS, MOST_EXAMPLES = 5, 3, 20, 10
TEXT_LENGTH, RAW_LENGTH = 400, 200


@dataclass(frozen=True)
class Preview:
    """A row of a split; ``row`` is None for one that was made by augmentation."""

    row: int | None
    text: str
    label: str


@dataclass(frozen=True)
class RejectedExample:
    """A record that is in no split; ``line`` counts from 1 in ``file``."""

    file: str
    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class DataReport:
    """Everything that the page, the JSON and the terminal say; ``facts`` are those of cleaned_splits.

    ``leaks`` has counts (kind -> pair of splits -> leaks), examples, nearest and compared.
    """

    recipe: str
    sources: tuple[str, ...]
    fingerprint: str
    facts: dict[str, Any]
    lengths: dict[str, Lengths]
    max_length: int
    leaks: dict[str, Any]
    previews: dict[str, tuple[Preview, ...]]
    rejected: tuple[RejectedExample, ...]

    @property
    def rows(self) -> dict[str, int]:
        """Counts of raw rows, of each split and of what is in none."""
        rows: dict[str, int] = self.facts["rows"]
        return rows

    @property
    def labels(self) -> list[str]:
        """The labels, those with the most training rows first."""
        train: dict[str, int] = self.facts["balance"].get("train", {})
        return sorted(train, key=lambda label: -train[label])


def data_report(
    splits: Path,
    *,
    recipe: str,
    sources: Sequence[str],
    fingerprint: str,
    lengths: Mapping[str, Lengths],
    max_length: int,
    leaks: Mapping[str, Any],
) -> DataReport:
    """Gathers the report of a cleaned_splits folder; long texts are cut."""
    facts = read_facts(splits / "facts.json")
    for part in ("conflicts", "near_duplicates"):
        facts[part]["examples"] = [_cut(example) for example in facts[part]["examples"][:MOST_EXAMPLES]]
    return DataReport(
        recipe=recipe,
        sources=tuple(sources),
        fingerprint=fingerprint,
        facts=facts,
        lengths=dict(lengths),
        max_length=max_length,
        leaks={**leaks, "examples": _cut(leaks["examples"][: 2 * MOST_EXAMPLES]), "nearest": _cut(leaks["nearest"])},
        previews={split: _preview(splits / f"{split}.parquet") for split in SPLITS},
        rejected=_rejected_examples(splits / "rejected.parquet"),
    )


def _preview(path: Path) -> tuple[Preview, ...]:
    batches = evenly_spaced(path, ["row", "text", "pair", "label"], PREVIEW_ROWS)
    rows = [row for batch in batches for row in batch.to_pylist()]
    return tuple(
        Preview(row["row"], _cut(joined(row["text"], row["pair"])), _cut(_label(row["label"], row["text"])))
        for row in rows
    )


def _label(value: Any, text: str) -> str:
    """Of spans, what they mark in ``text``."""
    if isinstance(value, list):
        return ", ".join(
            item if isinstance(item, str) else f"{item['label']}: {text[item['start'] : item['end']]}" for item in value
        )
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _rejected_examples(path: Path) -> tuple[RejectedExample, ...]:
    """Up to three for each kind of reason, the most frequent kind first."""
    seen: Counter[str] = Counter()
    examples: dict[str, list[RejectedExample]] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for number, kind in enumerate(batch["kind"].to_pylist()):
                seen[kind] += 1
                if seen[kind] <= EXAMPLES_A_REASON:
                    row = batch.slice(number, 1).to_pylist()[0]
                    example = RejectedExample(row["file"], row["line"], row["reason"], _cut(row["raw"], RAW_LENGTH))
                    examples.setdefault(kind, []).append(example)
    return tuple(example for kind, _ in seen.most_common(MOST_REASONS) for example in examples[kind])


def _cut(value: Any, length: int = TEXT_LENGTH) -> Any:
    """Every text in ``value`` on one line, and with an ellipsis where it is longer than ``length``; of a pair both."""
    from luthier.evaluation.wording import shortened

    if isinstance(value, dict):
        return {name: _cut(item, length) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, length) for item in value]
    if isinstance(value, str):
        return " | ".join(shortened(text, length) for text in value.split(BETWEEN))
    return value


def write_data_report(report: DataReport, folder: Path) -> None:
    """Writes data_report.json, report.html (one file that loads nothing), lengths.png and, of labels, balance.png."""
    from luthier.data_report.page import lengths_picture, render_page
    from luthier.data_report.plots import label_balance

    folder.mkdir(parents=True, exist_ok=True)
    write_facts(folder / "data_report.json", asdict(report))
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")
    (folder / "lengths.png").write_bytes(lengths_picture(report, form="png"))
    if report.labels:
        (folder / "balance.png").write_bytes(label_balance(report.facts["balance"], form="png"))


def read_data_report(folder: Path) -> DataReport:
    """The report that ``write_data_report`` left in ``folder``."""
    full = read_facts(folder / "data_report.json")
    lengths = {
        split: Lengths(**{**values, "edges": tuple(values["edges"]), "counts": tuple(values["counts"])})
        for split, values in full["lengths"].items()
    }
    return DataReport(
        **{
            **full,
            "sources": tuple(full["sources"]),
            "lengths": lengths,
            "previews": {split: tuple(Preview(**row) for row in rows) for split, rows in full["previews"].items()},
            "rejected": tuple(RejectedExample(**values) for values in full["rejected"]),
        }
    )
