import numpy as np
import pytest
from sklearn.metrics import f1_score

from luthier.evaluation.aspects.thresholds import MOST_LISTED, examine
from tests.unit.evaluation.classifiers import sampled
from tests.unit.evaluation.examinations import calibrated

NAMES = ("warm", "old", "rare")


def test_each_label_has_its_f1_at_its_threshold_and_at_a_half() -> None:
    test, validation = (sampled(NAMES, 400, several=True, seed=seed) for seed in (1, 2))
    given = calibrated(test, validation)
    found = examine(given)
    assert found is not None and (found.among, found.chosen) == (3, 3)
    assert tuple(label.label for label in found.labels) == NAMES
    for place, label in enumerate(found.labels):
        assert label.threshold == given.calibration.thresholds[place]
        for part, own, half in (
            (given.known.validation, label.validation_f1, label.validation_f1_at_half),
            (given.test, label.test_f1, label.test_f1_at_half),
        ):
            gold, outputs = np.asarray(part.compared("accuracy")[0])[:, place], part.outputs[:, place]
            assert own == pytest.approx(f1_score(gold, outputs >= label.threshold))
            assert half == pytest.approx(f1_score(gold, outputs >= 0.5))
        assert label.validation_f1 is not None and label.validation_f1_at_half is not None
        assert label.validation_f1 >= label.validation_f1_at_half
        assert label.rows == sum(label.label in row for row in validation.rows["label"].to_pylist())
    # The answers that everything else is scored by are those at the thresholds.
    answered = np.asarray(given.test.compared("accuracy")[1])
    assert [f1_score(np.asarray(given.test.compared("accuracy")[0])[:, p], answered[:, p]) for p in range(3)] == [
        pytest.approx(label.test_f1) for label in found.labels
    ]


def test_of_many_labels_those_farthest_from_a_half_are_listed_in_their_order() -> None:
    names = tuple(f"label {number:02}" for number in range(25))
    found = examine(calibrated(*(sampled(names, 200, several=True, seed=seed) for seed in (1, 2))))
    assert found is not None and (found.among, len(found.labels)) == (25, MOST_LISTED)
    assert [label.label for label in found.labels] == sorted(label.label for label in found.labels)
    assert all(label.chosen for label in found.labels)


def test_one_label_a_row_or_few_rows_have_no_thresholds() -> None:
    single = sampled(NAMES, 100, several=False, seed=1)
    assert examine(calibrated(single, single)) is None
    test = sampled(NAMES, 100, several=True, seed=1)
    assert examine(calibrated(test, sampled(NAMES, 20, several=True, seed=2))) is None
