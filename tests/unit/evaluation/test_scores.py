import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils import resample

from luthier.errors import LuthierError
from luthier.evaluation.metrics import STATISTICS
from luthier.evaluation.metrics.statistic import resamples
from luthier.evaluation.scores import Score, point, score, wilson
from luthier.tasks.metric import METRICS
from tests.unit.evaluation.simulated import SIMULATED, Rows, indicators

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
PREDICTIONS = np.array([0, 0, 0, 1, 1, 1, 0, 2, 2, 1])
OF_CLASSES = ("accuracy", "f1_macro", "f1_micro", "mcc")
every_metric = pytest.mark.parametrize("metric", sorted(METRICS))


def noisy(rows: int, classes: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    return labels, np.where(random.random(rows) < right, labels, random.integers(0, classes, rows))


def simulated(metric: str, rows: int, seed: int = 1) -> Rows:
    return SIMULATED[metric](np.random.default_rng(seed), rows)


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


@pytest.mark.parametrize("metric", sorted(set(METRICS) - {"f1_macro", "mcc"}))
def test_a_resample_has_the_value_of_its_rows(metric: str) -> None:
    gold, found = simulated(metric, 30)
    statistic = STATISTICS[metric](gold, found)
    resamples = np.random.default_rng(0).integers(0, 30, (20, 30))
    draws = np.stack([np.bincount(rows, minlength=30) for rows in resamples])
    expected = [point(metric, [gold[row] for row in rows], [found[row] for row in rows]) for rows in resamples]
    assert statistic.of(draws) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["f1_macro", "mcc"])
def test_rows_of_one_pair_of_labels_are_drawn_together(metric: str) -> None:
    statistic = STATISTICS[metric](LABELS, PREDICTIONS)
    pairs = sorted(set(zip(LABELS.tolist(), PREDICTIONS.tolist(), strict=True)))
    draws = np.random.default_rng(0).multinomial(10, statistic.times / 10, size=20)
    for drawn, value in zip(draws, statistic.of(draws), strict=True):
        rows = np.repeat(pairs, drawn, axis=0)
        assert value == pytest.approx(point(metric, rows[:, 0], rows[:, 1]))


@every_metric
def test_an_interval_holds_its_value_and_narrows_with_rows(metric: str) -> None:
    few, many = (score(metric, *simulated(metric, rows)) for rows in (60, 960))
    assert few.low < few.value < few.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


@every_metric
def test_higher_confidence_is_wider_and_the_seed_decides_everything(metric: str) -> None:
    rows = simulated(metric, 80)
    narrow, wide = score(metric, *rows, confidence=0.8), score(metric, *rows, confidence=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert score(metric, *rows, seed=3) == score(metric, *rows, seed=3)


def covered(draw: Callable[[np.random.Generator], Rows], metric: str, true: float, times: int = 150) -> float:
    random = np.random.default_rng(4)
    found = [score(metric, *draw(random)) for _ in range(times)]
    return sum(interval.low <= true <= interval.high for interval in found) / times


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_the_interval_of_a_class_metric_covers_the_true_value(metric: str) -> None:
    population = np.array([[40, 8, 2], [5, 20, 5], [2, 3, 15]])
    true = point(metric, *np.repeat(np.argwhere(population), population.ravel(), axis=0).T)
    share = covered(lambda r: np.divmod(r.choice(9, 300, p=population.ravel() / 100), 3), metric, true)
    # 95 % of 150 with its own binomial spread, and a little for the percentile method's bias.
    assert share > 0.89


@pytest.mark.parametrize("metric", ["f1_macro", "mcc", "roc_auc"])
def test_a_resample_of_classes_has_as_many_rows_of_each_as_there_are(metric: str) -> None:
    gold, predicted = SIMULATED[metric](np.random.default_rng(1), 60)
    found = STATISTICS[metric](gold, predicted)
    assert found.strata is not None and found.row_strata is not None
    draws = np.concatenate(list(resamples(found.times, found.strata, 50, seed=2)))
    for stratum in np.unique(found.strata):
        inside = found.strata == stratum
        assert set(draws[:, inside].sum(axis=1)) == {found.times[inside].sum()}
    assert len({tuple(draw) for draw in draws}) > 40
    assert [np.bincount(found.row_strata, minlength=3).tolist()] == [np.bincount(gold, minlength=3).tolist()]


def test_the_stratified_interval_is_that_of_scikit_learns_resampling() -> None:
    labels, predictions = noisy(120, 3, 0.6, seed=5)
    random = np.random.RandomState(0)
    loop = []
    for _ in range(2000):
        rows = resample(np.arange(120), random_state=random, stratify=labels)
        loop.append(f1_score(labels[rows], predictions[rows], average="macro"))
    found = score("f1_macro", labels, predictions)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(loop, [0.025, 0.975])), abs=0.015)


def correlated(random: np.random.Generator) -> Rows:
    gold = random.normal(size=200)
    return gold, 0.6 * gold + 0.8 * random.normal(size=200)


def separated(random: np.random.Generator) -> Rows:
    gold = random.integers(0, 2, 200)
    scores = random.normal(size=200) + gold
    return gold, np.stack([-scores, scores], axis=1)


def found_with_luck(random: np.random.Generator) -> Rows:
    """Two of ten entities are missed, two are of the wrong kind."""
    gold = [[(word, word + 1, "PER") for word in range(random.integers(0, 5))] for _ in range(200)]
    kinds = ["PER"] * 6 + ["LOC"] * 2 + [""] * 2
    return gold, [[(s, e, kind) for s, e, _ in row if (kind := str(random.choice(kinds)))] for row in gold]


@pytest.mark.parametrize(
    ("metric", "draw", "true"),
    [
        ("pearson", correlated, 0.6),
        ("spearman", correlated, 6 / np.pi * np.arcsin(0.3)),
        ("mse", correlated, 0.4**2 + 0.8**2),
        # The probability that a normal number exceeds one that lies 1 below on average.
        ("roc_auc", separated, 0.76025),
        ("seqeval_recall", found_with_luck, 0.6),
        ("seqeval_precision", found_with_luck, 0.75),
        ("seqeval_f1", found_with_luck, 2 * 0.6 / 1.8),
        ("perplexity", lambda r: (np.full(200, 5), r.gamma(10, 0.2, 200)), np.exp(0.4)),
    ],
)
def test_the_interval_of_another_metric_covers_the_true_value(
    metric: str, draw: Callable[[np.random.Generator], Rows], true: float
) -> None:
    assert 0.89 < covered(draw, metric, true) < 0.995


@pytest.mark.parametrize(
    ("metric", "classes"), [(metric, n) for metric in OF_CLASSES for n in (1, 2, 5) if (metric, n) != ("mcc", 1)]
)
def test_a_perfect_score_is_not_certain(metric: str, classes: int) -> None:
    labels = np.arange(60) % classes
    found = score(metric, labels, labels)
    assert found.value == found.high == 1
    assert 0 < found.low < 1
    assert score(metric, np.tile(labels, 10), np.tile(labels, 10)).low > found.low


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if metric.high == 1])
def test_whatever_is_perfect_is_not_certain_either(metric: str) -> None:
    gold = simulated(metric, 40)[0]
    best = {"roc_auc": lambda: np.eye(3)[gold], "exact_match": lambda: [row[0] if row else "" for row in gold]}
    best["squad_f1"] = best["exact_match"]
    found = score(metric, gold, best.get(metric, lambda: gold)())
    assert found.value == found.high == pytest.approx(1)
    assert 0.5 < found.low < 0.96


def test_a_score_of_nothing_right_is_not_certain_either() -> None:
    labels = np.arange(60) % 2
    for metric in OF_CLASSES:
        found = score(metric, labels, 1 - labels)
        assert found.value == found.low < found.high


def test_a_perfect_ranking_of_few_is_as_uncertain_as_they_are_few() -> None:
    few, many = np.arange(300) < 3, np.arange(300) < 150
    widths = [score("roc_auc", gold.astype(int), np.stack([~gold, gold], axis=1)) for gold in (few, many)]
    assert widths[0].low < 0.5 < 0.95 < widths[1].low


def test_one_prediction_for_all_rows_has_no_correlation() -> None:
    assert score("mcc", LABELS, np.zeros_like(LABELS)) == Score(0.0, 0.0, 0.0)


def test_a_resample_without_a_class_is_silent_and_finite() -> None:
    labels = np.array([0] * 11 + [1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for metric in OF_CLASSES:
            assert np.isfinite(score(metric, labels, np.roll(labels, 1)).low)
        found = score("roc_auc", labels, np.random.default_rng(0).random((12, 2)))
        assert np.isfinite([found.low, found.high]).all()


def test_text_labels_score_as_ids_do() -> None:
    names = np.array(["a", "b", "c"])
    for metric in OF_CLASSES:
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
    assert score("accuracy", *rows) == score("f1_micro", *rows)
    assert score("f1_micro", *rows).value == pytest.approx(accuracy_score(*rows))


def test_all_labels_of_a_row_right_is_a_proportion() -> None:
    gold, found = indicators(np.random.default_rng(0), 90)
    right = int((gold == found).all(axis=1).sum())
    assert score("accuracy", gold, found) == Score(right / 90, *wilson(right, 90, 0.95))


def test_the_bootstrap_beats_a_loop_of_scikit_learn_calls() -> None:
    rows = noisy(1600, 2, 0.8, seed=7)
    began = time.process_time()
    score("f1_macro", *rows)
    vectorised, began = time.process_time() - began, time.process_time()
    for _ in range(100):
        f1_score(*rows, average="macro")
    # A hundred calls here stand for a thousand resamples there.
    assert vectorised < 10 * (time.process_time() - began)
