from itertools import combinations
from statistics import mean

import numpy as np
import pytest
from scipy import stats

from luthier.evaluation.scores import score, statistic
from luthier.evaluation.two_groups import apart, chance_of_worse, holm


def accuracy_of(right: int, rows: int):
    return score("accuracy", np.ones(rows, dtype=int), np.arange(rows) < right)


@pytest.mark.parametrize(
    ("one", "other", "bounds"),
    # Newcombe (1998), table II, method 10.
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((10, 10), (0, 20), (0.6791, 1.0))],
)
def test_two_proportions_are_as_far_apart_as_newcombe_has_them(one, other, bounds) -> None:
    found = apart("accuracy", accuracy_of(*one), accuracy_of(*other))
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert (found.low, found.high) == pytest.approx(bounds, abs=1e-4)


def test_other_metrics_are_as_far_apart_as_a_two_sample_bootstrap_says_and_less_error_is_better() -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(0, 1, 300), random.normal(0, 2, 500)
    found = apart("mse", *(score("mse", errors, np.zeros(len(errors))) for errors in (one, other)))
    expected = stats.bootstrap(
        (one, other),
        lambda a, b, axis=-1: (b**2).mean(axis=axis) - (a**2).mean(axis=axis),
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.value > 0
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.1)


def test_the_chance_of_a_worse_proportion_is_that_of_fishers_exact_test() -> None:
    right, inside = np.arange(60) % 3 > 0, np.arange(60) < 15
    right[:8] = False
    found = statistic("accuracy", np.ones(60, dtype=int), right.astype(int))
    table = [[(right & inside).sum(), (~right & inside).sum()], [(right & ~inside).sum(), (~right & ~inside).sum()]]
    expected = stats.fisher_exact(table, alternative="less").pvalue
    assert chance_of_worse("accuracy", found, inside) == pytest.approx(expected)


def test_the_chance_of_another_metric_is_that_of_all_permutations() -> None:
    errors = np.array([0.1, 0.9, 0.4, 1.6, 0.2, 2.5, 0.3, 1.1, 0.7])
    inside = np.isin(np.arange(9), [1, 3, 6])
    found = statistic("mse", np.sqrt(errors), np.zeros(9))
    observed = mean(errors[inside])
    every = [float(mean(errors[list(chosen)]) >= observed - 1e-12) for chosen in combinations(range(9), 3)]
    assert chance_of_worse("mse", found, inside) == pytest.approx(mean(every), abs=0.06)


@pytest.mark.parametrize("metric", ["f1_macro", "mcc", "roc_auc"])
def test_a_metric_of_all_rows_together_sees_a_slice_that_is_answered_by_chance(metric: str) -> None:
    random = np.random.default_rng(1)
    gold, inside = random.integers(0, 2, 400), np.arange(400) < 60
    likely = np.where(gold == 1, 0.9, 0.1)
    likely[inside] = random.random(60)
    predicted = np.stack([1 - likely, likely], axis=1) if metric == "roc_auc" else (likely > 0.5).astype(int)
    found = statistic(metric, gold, predicted)
    assert chance_of_worse(metric, found, inside) < 0.001
    assert chance_of_worse(metric, found, ~inside) > 0.99


def test_several_chances_are_corrected_as_r_does() -> None:
    # p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm"), and out of order.
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.001, 0.9]) == pytest.approx([0.08, 0.003, 0.9])
    assert holm([]) == []
