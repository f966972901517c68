"""Distances with answers known beforehand; chance is as rare as it says."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp, mannwhitneyu

from luthier.data.two_samples import classifier_distance, order_distance, share_distance


def test_the_distance_of_shares_is_half_the_sum_of_the_differences():
    assert share_distance({"a": 50, "b": 50}, {"a": 500, "b": 500}).value == 0
    assert share_distance({"a": 7, "b": 3}, {"a": 50, "b": 50}).value == pytest.approx(0.2)
    assert share_distance({"a": 10}, {"b": 10}).value == 1
    assert share_distance({"a": 6, "b": 2, "c": 2}, {"a": 2, "b": 2, "c": 6}).value == pytest.approx(0.4)


@pytest.mark.parametrize(("new", "old"), [((30, 20), (200, 300)), ((55, 45), (520, 480)), ((120, 130), (900, 1400))])
def test_chance_is_that_of_the_chi_squared_test(new, old):
    counts = [{str(i): count for i, count in enumerate(side)} for side in (new, old)]
    assert share_distance(*counts).chance == pytest.approx(
        chi2_contingency([new, old], correction=False).pvalue, abs=0.05
    )


def test_chance_finds_two_samples_of_one_distribution_apart_as_rarely_as_it_says():
    generator = np.random.default_rng(3)
    chances = []
    for _ in range(200):
        new, old = (generator.multinomial(rows, [0.5, 0.3, 0.2]) for rows in (60, 400))
        chances.append(share_distance(*({str(i): int(n) for i, n in enumerate(side)} for side in (new, old))).chance)
    assert 0.05 < np.mean(np.array(chances) < 0.1) < 0.17


def test_the_distance_of_orders_is_scipys():
    generator = np.random.default_rng(0)
    new, old = generator.normal(1, 1, 200), generator.normal(0, 1, 300)
    found = order_distance(new, old)
    assert found.value == pytest.approx(ks_2samp(new, old).statistic)
    assert found.chance < 1e-6
    assert order_distance(old, old).value == 0


def test_the_classifier_finds_a_shift_and_which_rows_are_new_and_nothing_where_there_is_nothing():
    generator = np.random.default_rng(0)
    old, same = generator.normal(size=(300, 16)), generator.normal(size=(200, 16))
    found, _ = classifier_distance(same, old)
    assert 0.4 < found.value < 0.6 and found.chance > 0.01
    half = same + np.where(np.arange(200) < 100, 2.0, 0.0)[:, None]
    found, looks = classifier_distance(half, old)
    assert found.value > 0.7 and found.chance < 1e-6
    assert looks[:100].min() > np.median(looks[100:])


def test_the_classifiers_chance_is_that_of_the_rank_sum():
    generator = np.random.default_rng(1)
    old, new = generator.normal(size=(200, 1)), generator.normal(0.4, 1, size=(200, 1))
    found, _ = classifier_distance(new, old)
    reference = mannwhitneyu(new[:, 0], old[:, 0], alternative="greater")
    assert found.value == pytest.approx(reference.statistic / (200 * 200), abs=0.03)
    assert np.log10(found.chance) == pytest.approx(np.log10(reference.pvalue), abs=1.5)


def test_the_same_rows_give_the_same_distance():
    generator = np.random.default_rng(2)
    old, new = generator.normal(size=(60, 4)), generator.normal(size=(50, 4))
    assert classifier_distance(new, old)[0] == classifier_distance(new, old)[0]
    assert share_distance({"a": 9, "b": 4}, {"a": 20, "b": 21}) == share_distance({"b": 4, "a": 9}, {"b": 21, "a": 20})
