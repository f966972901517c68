import time
import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

from luthier.errors import LuthierError
from luthier.evaluation.scores import (
    POINTS,
    PROPORTIONS,
    TABLE_STATISTICS,
    Score,
    confusion,
    point,
    score,
    wilson,
)

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
PREDICTIONS = np.array([0, 0, 0, 1, 1, 1, 0, 2, 2, 1])


def noisy(rows: int, classes: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    return labels, np.where(random.random(rows) < right, labels, random.integers(0, classes, rows))


def test_metrics_equal_values_computed_by_hand() -> None:
    assert point("accuracy", LABELS, PREDICTIONS) == pytest.approx(7 / 10)
    assert point("f1_micro", LABELS, PREDICTIONS) == pytest.approx(7 / 10)
    assert point("f1_macro", LABELS, PREDICTIONS) == pytest.approx((6 / 8 + 4 / 7 + 4 / 5) / 3)
    # Counts by hand: 10 rows, 7 right, true (4, 3, 3), predicted (4, 4, 2).
    assert point("mcc", LABELS, PREDICTIONS) == pytest.approx((70 - 34) / np.sqrt((100 - 34) * (100 - 36)))


@pytest.mark.parametrize(
    ("successes", "rows", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombes_published_intervals(successes: int, rows: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    assert wilson(successes, rows, 0.95) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


@pytest.mark.parametrize("seed", range(20))
def test_statistics_of_a_table_equal_scikit_learns(seed: int) -> None:
    labels, predictions = noisy(30, 5, 0.5, seed)
    table = confusion(labels, predictions, 5)
    assert (table == confusion_matrix(labels, predictions, labels=range(5))).all()
    macro = f1_score(labels, predictions, average="macro", zero_division=0.0)
    assert TABLE_STATISTICS["f1_macro"](table) == pytest.approx(macro)
    assert TABLE_STATISTICS["mcc"](table) == pytest.approx(matthews_corrcoef(labels, predictions))


def test_statistics_of_stacked_tables_are_those_of_each() -> None:
    resamples = np.random.default_rng(0).integers(0, 10, (50, 10))
    tables = confusion(LABELS[resamples], PREDICTIONS[resamples], 3)
    for metric, statistic in TABLE_STATISTICS.items():
        expected = [POINTS[metric](LABELS[rows], PREDICTIONS[rows]) for rows in resamples]
        assert statistic(tables) == pytest.approx(expected)


@pytest.mark.parametrize("metric", sorted(POINTS))
def test_an_interval_holds_its_value_and_narrows_with_rows(metric: str) -> None:
    few, many = (score(metric, *noisy(rows, 3, 0.7, seed=1)) for rows in (100, 1600))
    assert few.low < few.value < few.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


@pytest.mark.parametrize("metric", sorted(POINTS))
def test_higher_confidence_is_wider_and_the_seed_decides_everything(metric: str) -> None:
    rows = noisy(200, 2, 0.6, seed=2)
    narrow, wide = score(metric, *rows, confidence=0.8), score(metric, *rows, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert score(metric, *rows, seed=3) == score(metric, *rows, seed=3)


@pytest.mark.parametrize("metric", sorted(TABLE_STATISTICS))
def test_the_bootstrap_interval_covers_the_true_value(metric: str) -> None:
    random = np.random.default_rng(4)
    population = np.array([[0.40, 0.08, 0.02], [0.05, 0.20, 0.05], [0.02, 0.03, 0.15]])
    true = float(TABLE_STATISTICS[metric](population))
    covered = 0
    for _ in range(150):
        cells = random.choice(9, 300, p=population.ravel())
        found = score(metric, cells // 3, cells % 3)
        covered += found.low <= true <= found.high
    # 95 % of 150 with its own binomial spread, and a little for the percentile method's bias.
    assert covered / 150 > 0.89


@pytest.mark.parametrize(
    ("metric", "classes"), [(metric, n) for metric in sorted(POINTS) for n in (1, 2, 5) if (metric, n) != ("mcc", 1)]
)
def test_a_perfect_score_is_not_certain(metric: str, classes: int) -> None:
    labels = np.arange(60) % classes
    found = score(metric, labels, labels)
    assert found.value == found.high == 1
    assert 0 < found.low < 1
    assert score(metric, np.tile(labels, 10), np.tile(labels, 10)).low > found.low


def test_a_score_of_nothing_right_is_not_certain_either() -> None:
    labels = np.arange(60) % 2
    for metric in POINTS:
        found = score(metric, labels, 1 - labels)
        assert found.value == found.low < found.high


def test_one_prediction_for_all_rows_has_no_correlation() -> None:
    assert score("mcc", LABELS, np.zeros_like(LABELS)) == Score(0.0, 0.0, 0.0)


def test_a_resample_without_a_class_is_silent_and_finite() -> None:
    labels = np.array([0] * 11 + [1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in sorted(POINTS):
            assert np.isfinite(score(metric, labels, np.roll(labels, 1)).low)


def test_text_labels_score_as_ids_do() -> None:
    names = np.array(["a", "b", "c"])
    for metric in POINTS:
        assert score(metric, names[LABELS], names[PREDICTIONS]) == score(metric, LABELS, PREDICTIONS)


@pytest.mark.parametrize(
    ("metric", "labels", "predictions", "said"),
    [
        ("accuracy", [], [], "no rows"),
        ("accuracy", [0, 1], [0], "equal length"),
        ("acuracy", [0, 1], [0, 1], "unknown metric"),
        ("f1_macro", [0.0, float("nan")], [0.0, 1.0], "not finite"),
        ("mcc", [1, 1, 1], [1, 0, 1], "one label"),
    ],
)
def test_what_is_undefined_is_refused_with_the_reason(
    metric: str, labels: list[float], predictions: list[float], said: str
) -> None:
    with pytest.raises(LuthierError, match=said):
        score(metric, np.array(labels), np.array(predictions))


def test_a_score_outside_its_interval_cannot_be_made() -> None:
    for values in ((0.9, 0.1, 0.5), (float("nan"), 0.0, 1.0)):
        with pytest.raises(LuthierError):
            Score(*values)


def test_proportions_are_exactly_accuracy() -> None:
    rows = noisy(500, 4, 0.6, seed=6)
    assert len({score(metric, *rows).low for metric in PROPORTIONS}) == 1
    assert score("f1_micro", *rows).value == pytest.approx(accuracy_score(*rows))


def test_the_bootstrap_beats_a_loop_of_scikit_learn_calls() -> None:
    rows = noisy(1600, 2, 0.8, seed=7)
    began = time.process_time()
    score("f1_macro", *rows)
    vectorised, began = time.process_time() - began, time.process_time()
    for _ in range(100):
        f1_score(*rows, average="macro")
    # A hundred calls here stand for a thousand resamples there.
    assert vectorised < 10 * (time.process_time() - began)
