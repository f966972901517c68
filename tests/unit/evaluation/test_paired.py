"""The paired difference against other implementations, and what it must say of equals."""

import numpy as np
import pytest
from scipy import stats

from luthier.errors import LuthierError
from luthier.evaluation.metrics import STATISTICS
from luthier.evaluation.paired import mcnemar, paired_difference
from luthier.evaluation.scores import point
from luthier.tasks.metric import METRICS
from tests.unit.evaluation.simulated import SIMULATED

every_metric = pytest.mark.parametrize("metric", sorted(METRICS))


def right(*runs: tuple[int, bool, bool]) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Rows of label 1 in runs of (how many, whether the first model is right, whether the second is)."""
    first, second = (np.repeat([run[which] for run in runs], [run[0] for run in runs]).astype(int) for which in (1, 2))
    gold = np.ones(len(first), dtype=int)
    return (gold, first), (gold, second)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    # By hand: twice the tail of the binomial distribution of one half.
    [(0, 0, 1.0), (6, 0, 2 / 64), (5, 1, 14 / 64), (3, 3, 1.0), (1, 8, 20 / 512)],
)
def test_mcnemars_p_equals_the_exact_binomial_by_hand(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_the_difference_of_accuracy_is_that_of_scipys_paired_bootstrap() -> None:
    first, second = right((60, True, True), (30, True, False), (8, False, True), (22, False, False))
    found = paired_difference("accuracy", first, second)
    assert found.value == pytest.approx((90 - 68) / 120)
    assert found.mcnemar_p == pytest.approx(stats.binomtest(30, 38).pvalue)
    reference = stats.bootstrap(
        (first[1], second[1]),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    # A thousand resamples: the ends lie within about a tenth of the width.
    assert found.low == pytest.approx(reference.low, abs=0.017)
    assert found.high == pytest.approx(reference.high, abs=0.017)
    assert found.is_better and not found.is_worse and found.p < 0.01


@every_metric
def test_a_model_is_not_better_than_itself(metric: str) -> None:
    rows = SIMULATED[metric](np.random.default_rng(1), 60)
    found = paired_difference(metric, rows, rows)
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert not found.is_better and not found.is_worse


@every_metric
def test_the_other_way_round_is_the_other_sign_and_a_perfect_model_is_better(metric: str) -> None:
    gold, found = SIMULATED[metric](np.random.default_rng(1), 200)
    if metric == "roc_auc":
        perfect = np.eye(3)[gold]
    elif metric == "perplexity":
        perfect = np.zeros(200)
    else:
        perfect = [row[-1] if row else "" for row in gold] if metric in ("exact_match", "squad_f1") else gold
    forth, back = (
        paired_difference(metric, *pair)
        for pair in (((gold, perfect), (gold, found)), ((gold, found), (gold, perfect)))
    )
    assert forth.value == -back.value > 0
    assert (forth.low, forth.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert forth.is_better and back.is_worse


@every_metric
def test_draws_of_rows_give_what_the_drawn_rows_have(metric: str) -> None:
    gold, found = SIMULATED[metric](np.random.default_rng(2), 40)
    statistic = STATISTICS[metric](gold, found)
    drawn = np.random.default_rng(0).integers(0, 40, (10, 40))
    draws = np.stack([np.bincount(rows, minlength=40) for rows in drawn])
    expected = [point(metric, [gold[row] for row in rows], [found[row] for row in rows]) for rows in drawn]
    assert statistic.of_row_draws(draws) == pytest.approx(expected)


def test_rows_without_tokens_count_for_none() -> None:
    counts = np.array([3, 0, 5, 0, 2])
    losses = np.array([3.0, 0.0, 4.0, 0.0, 5.0])
    statistic = STATISTICS["perplexity"](counts, losses)
    assert statistic.of_row_draws(np.array([[1, 9, 2, 0, 0]])) == pytest.approx(np.exp((3 + 8) / (3 + 10)))


def test_an_error_that_falls_is_a_gain() -> None:
    gold = np.arange(50.0)
    found = paired_difference("mse", (gold, gold + 1), (gold, gold + 2))
    assert found.value == pytest.approx(3) and found.is_better


def test_a_handful_of_rows_does_not_suffice_whatever_the_bootstrap_says() -> None:
    found = paired_difference("accuracy", *right((32, True, True), (4, True, False)))
    assert found.low > 0 and found.mcnemar_p == pytest.approx(0.125)
    assert not found.is_better
    assert paired_difference("accuracy", *right((30, True, True), (6, True, False))).is_better


def test_of_equals_hardly_any_is_called_better() -> None:
    random, wrong = np.random.default_rng(3), 0
    gold = np.ones(100, dtype=int)
    for seed in range(200):
        first, second = random.random((2, 100)) < 0.8
        found = paired_difference("accuracy", (gold, first.astype(int)), (gold, second.astype(int)), seed=seed)
        wrong += found.is_better
    # One side of 5 %, of 200.
    assert wrong <= 10


def test_models_of_other_rows_are_refused() -> None:
    with pytest.raises(LuthierError, match="the same rows"):
        paired_difference("accuracy", ([1, 0], [1, 0]), ([1], [1]))
    with pytest.raises(LuthierError, match="the same answers, or the same tokens"):
        paired_difference("perplexity", (np.array([3, 4]), np.ones(2)), (np.array([3, 5]), np.ones(2)))
