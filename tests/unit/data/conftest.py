import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from luthier.data.leakage import find_leaks
from luthier.data.raw import RawSource, write_raw_data
from luthier.data.splits import write_cleaned_splits
from luthier.recipe.data_section import DataSection
from luthier.sources.fetched import Fetched

SPLITS = ("train", "validation", "test")
KINDS = ("rejected", "duplicates", "not_sampled")


def fetched(path: Path) -> Fetched:
    """A file as a source gives it."""
    return Fetched(path, path.name, "f" * 64, {"scheme": "file"}, (path,))


class Divided:
    """The splits of rows given in a test; ``splits`` is the folder."""

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.splits, self.raw, self.facts = folder / "splits", folder / "raw", facts

    def table(self, name: str) -> list[dict[str, Any]]:
        return pq.read_table(self.splits / f"{name}.parquet").to_pylist()

    def texts(self, name: str) -> list[str]:
        return [row["text"] for row in self.table(name)]

    @property
    def place(self) -> dict[int, str]:
        """The split of every raw row that is in one."""
        return {row["row"]: name for name in SPLITS for row in self.table(name) if row["row"] is not None}

    @property
    def reasons(self) -> dict[int, str]:
        """Why the other lines are in none."""
        return {row["line"]: row["reason"] for row in self.table("rejected")}


@pytest.fixture
def divide(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Divided]:
    """Divides rows (mappings, or several lists of them by split) as ``data`` says; ``options`` go on to the library."""

    def _divide(rows: Any, spoiled: int = 0, options: dict[str, Any] | None = None, **data: Any) -> Divided:
        folder = tmp_path_factory.mktemp("data")
        given = rows if isinstance(rows, dict) else {None: rows}
        sources = []
        for split, members in given.items():
            path = folder / f"{split or 'a'}.jsonl"
            path.write_text("\n".join([*map(json.dumps, members), *["{spoiled"] * spoiled]) + "\n")
            sources.append(RawSource(fetched(path), split))
        uris = {"source": "a.jsonl"} if None in given else {split: f"{split}.jsonl" for split in given}
        by = {} if None in given else {"split": {"by": "given"}}
        augmentation = {"augmentation": {"below": 0}}
        section = DataSection.model_validate(
            {"columns": {"text": "text", "label": "label"}, **uris, **by, **augmentation, **data}
        )
        write_raw_data(sources, folder / "raw", required_columns=section.columns.required)
        facts = write_cleaned_splits(folder / "raw", folder / "splits", section, **(options or {}))
        return Divided(folder, facts)

    return _divide


def leaks(divided: Divided) -> dict[str, dict[str, int]]:
    """What is in two splits, by kind."""
    return {kind: found for kind, found in find_leaks(divided.splits).counts.items() if found}


def lines(*words: str, rows: int = 60, **more: Any) -> list[dict[str, Any]]:
    """Rows that have little in common, labelled in turn."""
    vocabulary = ["river", "stone", "market", "engine", "violin", "winter", "garden", "letter"]
    vocabulary += ["copper", "harbour", "silver", "window"]
    made = []
    for row in range(rows):
        text = " ".join(f"{vocabulary[(row * step) % 12]}{row * step}" for step in (1, 5, 7, 11, 13))
        made.append({"text": " ".join([*words, text]), "label": "ab"[row % 2], **more})
    return made
