"""Labels in train and test that are probably wrong, for people to look at and mend."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from luthier.errors import LuthierError
from luthier.evaluation.examination import Examination
from luthier.evaluation.readable import label_text
from luthier.evaluation.wording import shortened
from luthier.tasks.head import Head
from luthier.tasks.text_classification import targets_of, texts_of

if TYPE_CHECKING:
    from luthier.evaluation.suspect_labels import Suspects

MOST_SHOWN = 20
# Folds of more rows cost minutes.
MOST_TRAIN = 10_000
LENGTH, SEED = 400, 17


@dataclass(frozen=True)
class Suspect:
    """One label that is probably wrong: ``row`` counts the rows of ``raw_data``; a quality of 1 fits."""

    row: int
    given: str
    suggested: str
    quality: float


@dataclass(frozen=True)
class Searched:
    """The suspects among the ``rows`` of a split that were judged, the likeliest first; ``of`` is all it has.

    ``texts`` are those of the first few suspects.
    """

    split: Literal["train", "test"]
    rows: int
    of: int
    suspects: tuple[Suspect, ...]
    texts: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the rows that were judged."""
        return len(self.suspects) / self.rows

    @property
    def shown(self) -> list[tuple[str, Suspect]]:
        """The likeliest, with their texts."""
        return list(zip(self.texts, self.suspects, strict=False))


@dataclass(frozen=True)
class LabelErrors:
    """What was found in each split; ``unsearched`` says why one was not searched. A row may have ``several`` labels."""

    several: bool
    splits: tuple[Searched, ...]
    unsearched: dict[str, str]


def examine(given: Examination) -> LabelErrors | None:
    """Test labels by what the tuned model answers, train labels by linear models on the untuned one's features."""
    head = given.test.head
    if head.problem not in ("single_label_classification", "multi_label_classification"):
        return None
    searches = {"test": _in_test}
    if given.known.features is not None:
        searches["train"] = _in_train
    found, unsearched = [], {}
    for split, search in searches.items():
        try:
            found.append(search(given))
        except LuthierError as error:
            unsearched[split] = error.what
    return LabelErrors(head.problem == "multi_label_classification", tuple(found), unsearched)


def _in_test(given: Examination) -> Searched:
    # It imports torch, which reading a report need not wait for.
    from luthier.evaluation.suspect_labels import suspects

    test = given.test
    return _searched("test", test.rows, suspects(np.asarray(targets_of(test.rows, test.head)), test.outputs), test.head)


def _in_train(given: Examination) -> Searched:
    from luthier.evaluation.suspect_labels import cross_validated, learnable, suspects

    assert given.known.features is not None
    rows, head = given.known.own_rows, given.test.head
    gold = np.asarray(targets_of(rows, head))
    judged = np.flatnonzero(learnable(gold))
    if len(judged) > MOST_TRAIN:
        judged = np.sort(np.random.default_rng(SEED).choice(judged, MOST_TRAIN, replace=False))
        judged = judged[learnable(gold[judged])]
    chosen, labels = rows.take(pa.array(judged)), gold[judged]
    if len(judged) < len(head.labels) or (labels.ndim == 1 and len(np.unique(labels)) < 2):
        raise LuthierError("too few rows of each label to judge a label by the others", where="label errors")
    found = suspects(labels, cross_validated(given.known.features.of(texts_of(chosen)), labels, head))
    return _searched("train", chosen, found, head, of=len(rows))


def _searched(
    split: Literal["train", "test"], rows: pa.Table, found: "Suspects", head: Head, of: int | None = None
) -> Searched:
    chosen = rows.take(pa.array(found.places))
    numbers, labels = chosen["row"].to_pylist(), chosen["label"].to_pylist()
    parts = zip(numbers, labels, found.suggested, found.quality.tolist(), strict=True)
    listed = tuple(
        Suspect(row, label_text(label), _named(s, head), round(quality, 6)) for row, label, s, quality in parts
    )
    texts = tuple(shortened(text, LENGTH) for text in texts_of(chosen[:MOST_SHOWN]))
    return Searched(split, len(rows), len(rows) if of is None else of, listed, texts)


def _named(suggested: np.ndarray, head: Head) -> str:
    if suggested.ndim == 0:
        return head.labels[int(suggested)]
    return label_text([label for label, inside in zip(head.labels, suggested, strict=True) if inside])


def table(found: LabelErrors) -> pa.Table:
    """Every suspect, to mend the data by: split, row of ``raw_data``, label, suggestion and quality."""
    rows = [(part.split, each) for part in found.splits for each in part.suspects]
    return pa.table(
        {
            "split": pa.array([split for split, _ in rows], pa.string()),
            "row": pa.array([each.row for _, each in rows], pa.int64()),
            "label": pa.array([each.given for _, each in rows], pa.string()),
            "suggested": pa.array([each.suggested for _, each in rows], pa.string()),
            "quality": pa.array([each.quality for _, each in rows], pa.float64()),
        }
    )
