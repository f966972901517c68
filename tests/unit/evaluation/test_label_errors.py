"""Planted wrong labels are found among the rest, and the rest is left alone."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from luthier.errors import LuthierError
from luthier.evaluation.aspects import label_errors
from luthier.evaluation.aspects.label_errors import MOST_SHOWN, examine, table
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.suspect_labels import cross_validated, suspects
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions
from tests.unit.evaluation.classifiers import planted, sampled, softmax, with_features
from tests.unit.evaluation.examinations import calibrated

NAMES = ("a", "b", "c", "d")
SINGLE = Head("sequence-classification", NAMES, "single_label_classification")
PLANTED = 0.05


def answered_test(rows: int = 600, *, seed: int = 5) -> tuple[Evaluated, np.ndarray]:
    """A test split whose model knows the truth, and which of its labels are wrong."""
    made = planted(NAMES, rows, seed=seed)
    logits = np.random.default_rng(seed).normal(size=(rows, 4))
    logits[np.arange(rows), made.true] += 4
    outputs = softmax(logits).astype(np.float32)
    answers = Predictions([NAMES[place] for place in outputs.argmax(axis=1)], list(outputs))
    task = sampled(NAMES, 2, several=False, seed=1).task
    return Evaluated(task, SINGLE, "single", made.table, answers), made.wrong


@pytest.mark.parametrize("labels", [2, 4, 20])
def test_planted_errors_in_train_are_found_far_better_than_by_chance(labels: int) -> None:
    names = tuple(f"l{number}" for number in range(labels))
    head = replace(SINGLE, labels=names)
    made = planted(names, 1500, share=PLANTED)
    found = suspects(made.given, cross_validated(made.features, made.given, head))
    right = made.wrong[found.places]
    precision, recall = right.mean(), right.sum() / made.wrong.sum()
    # By chance the precision is 0.05, and the recall as small as the share of rows that are named.
    assert precision > 10 * PLANTED and recall > 10 * len(found.places) / 1500
    assert recall > 0.6
    assert (found.suggested[right] == made.true[found.places[right]]).mean() > 0.8
    assert (np.diff(found.quality) >= 0).all()
    assert right[: len(right) // 2].mean() >= right[len(right) // 2 :].mean()


def test_planted_errors_of_several_labels_are_found_and_undone() -> None:
    random = np.random.default_rng(0)
    true = (random.random((1500, 3)) < 0.35).astype(int)
    features = true @ random.normal(size=(3, 24)) * 2 + random.normal(size=(1500, 24))
    wrong = random.random(true.shape) < 0.02
    head = Head("sequence-classification", NAMES[:3], "multi_label_classification")
    given = true ^ wrong
    found = suspects(given, cross_validated(features, given, head))
    right = wrong.any(axis=1)[found.places]
    assert right.mean() > 0.6 and right.sum() / wrong.any(axis=1).sum() > 0.6
    assert (found.suggested[right] == true[found.places[right]]).all(axis=1).mean() > 0.8


def test_rows_without_errors_are_mostly_left_alone() -> None:
    made = planted(NAMES, 1500, share=0.0)
    found = suspects(made.given, cross_validated(made.features, made.given, SINGLE))
    assert len(found.places) < 0.01 * 1500


def test_each_row_is_judged_by_models_that_did_not_learn_it() -> None:
    """Features that say nothing: whoever has seen a row's label would know it better than chance."""
    random = np.random.default_rng(0)
    features, gold = random.normal(size=(200, 400)), random.integers(0, 4, 200)
    found = cross_validated(features, gold, SINGLE)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert 0.15 < (found.argmax(axis=1) == gold).mean() < 0.36


def test_a_report_names_both_splits_by_the_rows_of_the_data() -> None:
    (test, wrong), made = answered_test(), planted(NAMES, 900)
    found = examine(calibrated(test, test, made.table, features=with_features(made.table, made.features)))
    assert found is not None and not found.several and not found.unsearched
    by_split = {part.split: part for part in found.splits}
    assert [part.rows for part in found.splits] == [600, 900]
    for split, mistakes, rows in (("test", wrong, test.rows), ("train", made.wrong, made.table)):
        part = by_split[split]
        places = [(each.row - 7) // 3 for each in part.suspects]
        assert [rows["row"][place].as_py() for place in places] == [each.row for each in part.suspects]
        assert mistakes[places].mean() > 0.6 and mistakes[places].sum() > 0.6 * mistakes.sum()
        assert [rows["label"][place].as_py() for place in places] == [each.given for each in part.suspects]
        assert all(each.given != each.suggested for each in part.suspects)
        assert [text for text, _ in part.shown] == [rows["text"][place].as_py() for place in places[:MOST_SHOWN]]
        assert part.share == len(places) / len(rows)
    listed = table(found)
    assert listed.column_names == ["split", "row", "label", "suggested", "quality"]
    assert len(listed) == sum(len(part.suspects) for part in found.splits)
    assert listed["row"].to_pylist()[: len(by_split["test"].suspects)] == [s.row for s in by_split["test"].suspects]


def test_copies_of_a_row_and_labels_too_rare_to_learn_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    test, _ = answered_test(100)
    made = planted(NAMES, 400)
    ids = made.given.copy()
    ids[ids == 3] = 0
    ids[:4] = 3
    kinds = pa.array(["swap" if row % 10 == 9 else None for row in range(400)], pa.string())
    rows = made.table.set_column(4, "label_id", pa.array(ids))
    rows = rows.set_column(3, "label", pa.array([NAMES[place] for place in ids])).set_column(5, "augmentation", kinds)
    given = calibrated(test, test, rows, features=with_features(rows, made.features))
    part = examine(given).splits[1]
    assert (part.of, part.rows) == (360, 356)
    assert {each.given for each in part.suspects} <= set(NAMES[:3])
    monkeypatch.setattr(label_errors, "MOST_TRAIN", 100)
    assert 90 <= examine(given).splits[1].rows <= 100


def test_a_split_that_cannot_be_searched_is_named_with_the_reason() -> None:
    test, _ = answered_test(100)
    one = planted(("a",), 100, share=0.0)
    found = examine(calibrated(test, test, one.table, features=with_features(one.table, one.features)))
    assert [part.split for part in found.splits] == ["test"]
    assert "too few rows" in found.unsearched["train"]
    few, _ = answered_test(10)
    assert examine(calibrated(few, few)).unsearched == {"test": "too few rows to search for wrong labels"}
    with pytest.raises(LuthierError, match="one label"):
        suspects(np.zeros(50, dtype=int), np.tile([0.9, 0.1], (50, 1)))
