import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.content import digests
from luthier.data.splitting import Shares, Strata, by_chance, by_hash, by_time, sample
from luthier.errors import DataError

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(3, 60), min_size=1)
HELD_OUT = st.sampled_from([0.05, 0.1, 0.15, 0.2, 0.29, 0.3, 0.45])


def _rows(counts: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Digests and labels."""
    labels = np.asarray([label for label, count in counts.items() for _ in range(count)])
    return digests(f"text {row}" for row in range(len(labels))), labels


def _divided(
    counts: dict[str, int], shares: Shares, *, stratified: bool, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    content, labels = _rows(counts)
    units = np.arange(len(content))
    return by_chance(content, units, shares, seed=seed, strata=_strata(labels) if stratified else None), labels


def _strata(labels: np.ndarray) -> Strata:
    names, numbers = np.unique(labels, return_inverse=True)
    return Strata(numbers, names.tolist())


@given(COUNTS, HELD_OUT, HELD_OUT, st.booleans(), st.integers(0, 3))
def test_every_split_has_rows_and_every_label_where_stratified(
    counts: dict[str, int], validation: float, test: float, stratified: bool, seed: int
) -> None:
    splits, labels = _divided(counts, Shares(validation, test), stratified=stratified, seed=seed)
    assert set(splits) == {0, 1, 2}
    if stratified:
        assert all(set(labels[splits == split]) == set(counts) for split in range(3))


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(20, 90), min_size=1), HELD_OUT, HELD_OUT, st.booleans())
def test_sizes_are_within_one_row_of_the_shares(
    counts: dict[str, int], validation: float, test: float, stratified: bool
) -> None:
    splits, labels = _divided(counts, Shares(validation, test), stratified=stratified)
    for split, share in enumerate((1 - validation - test, validation, test)):
        assert abs((splits == split).sum() - share * len(labels)) <= 1 + 1e-9
        for label in counts if stratified else ():
            assert abs((labels[splits == split] == label).sum() - share * counts[label]) <= 1 + 1e-9


@given(st.permutations(range(65)), st.booleans(), st.integers(20, 70))
def test_the_order_of_the_rows_does_not_matter(order: list[int], stratified: bool, size: int) -> None:
    content, labels = _rows({"a": 40, "b": 25})
    shares, units = Shares(0.15, 0.15), np.arange(65)
    strata, other = (_strata(labels), _strata(labels[order])) if stratified else (None, None)
    splits = by_chance(content, units, shares, seed=5, strata=strata)
    shuffled = by_chance(content[order], units, shares, seed=5, strata=other)
    assert (splits[order] == shuffled).all()
    chosen = sample(content, _strata(labels).labels, size, seed=3)
    assert (chosen[order] == sample(content[order], _strata(labels[order]).labels, size, seed=3)).all()


def test_another_seed_divides_otherwise() -> None:
    one, other = (_divided({"a": 50, "b": 50}, Shares(0.2, 0.2), stratified=True, seed=seed)[0] for seed in (1, 2))
    assert (one != other).any()


@given(st.lists(st.integers(1, 40), min_size=3, max_size=30), HELD_OUT, HELD_OUT)
def test_units_stay_together_and_every_split_gets_one(sizes: list[int], validation: float, test: float) -> None:
    units = np.repeat(range(len(sizes)), sizes)
    content = digests(f"text {row}" for row in range(len(units)))
    splits = by_chance(content, units, Shares(validation, test), seed=1)
    assert all(len(set(splits[units == unit])) == 1 for unit in set(units))
    assert set(splits) == {0, 1, 2}


def test_large_units_do_not_carry_the_shares_away() -> None:
    units = np.repeat(range(200), 5)
    splits = by_chance(digests(map(str, range(1000))), units, Shares(0.15, 0.15), seed=1)
    assert [abs((splits == split).sum() - wanted) <= 5 for split, wanted in enumerate((700, 150, 150))] == [True] * 3


@given(st.lists(st.integers(0, 20), min_size=3, max_size=80).filter(lambda times: len(set(times)) > 2))
def test_by_time_later_splits_hold_later_rows(times: list[int]) -> None:
    time = np.asarray(times, dtype=np.float64)
    splits = by_time(time, Shares(0.2, 0.2))
    assert (np.diff(splits[np.argsort(time, kind="stable")]) >= 0).all()
    assert all(len(set(splits[time == moment])) == 1 for moment in set(times))
    assert set(splits) == {0, 1, 2}


def test_two_moments_are_too_few_for_three_splits() -> None:
    with pytest.raises(DataError, match=r"too few rows of different time for 3 splits(.|\n)*received: 2"):
        by_time(np.asarray([1.0, 2.0] * 50), Shares(0.2, 0.2))


@given(st.lists(st.text(max_size=5), min_size=1, max_size=50, unique=True), st.integers(0, 3))
def test_by_hash_a_row_stands_where_its_text_alone_puts_it(texts: list[str], seed: int) -> None:
    together = by_hash(digests(texts), Shares(0.2, 0.3), seed=seed)
    assert together.tolist() == [int(by_hash(digests([text]), Shares(0.2, 0.3), seed=seed)[0]) for text in texts]


def test_by_hash_shares_are_near_those_asked_for() -> None:
    splits = by_hash(digests(map(str, range(20_000))), Shares(0.1, 0.2), seed=1)
    assert [round((splits == split).mean(), 1) for split in range(3)] == [0.7, 0.1, 0.2]


@pytest.mark.parametrize(
    ("counts", "stratified", "what"),
    [
        ({"a": 30, "b": 2}, True, r"too few rows of label 'b' for 3 splits(.|\n)*received: 2"),
        ({"a": 1, "b": 1}, False, r"too few rows for 3 splits(.|\n)*received: 2"),
    ],
)
def test_too_few_rows(counts: dict[str, int], stratified: bool, what: str) -> None:
    with pytest.raises(DataError, match=what):
        _divided(counts, Shares(0.15, 0.15), stratified=stratified)


def test_a_rare_label_is_no_obstacle_without_stratification() -> None:
    assert len(_divided({"a": 30, "b": 1}, Shares(0.15, 0.15), stratified=False)[0]) == 31


def test_a_share_of_nothing_asks_for_no_split() -> None:
    splits, _ = _divided({"a": 30, "b": 10}, Shares(0.25, 0), stratified=True)
    assert np.bincount(splits).tolist() == [30, 10]


@given(COUNTS, st.integers(1, 400))
def test_a_sample_keeps_the_labels_shares(counts: dict[str, int], size: int) -> None:
    content, labels = _rows(counts)
    chosen = sample(content, np.unique(labels, return_inverse=True)[1], size, seed=1)
    assert chosen.sum() == min(size, len(content))
    for label, count in counts.items():
        assert abs((labels[chosen] == label).sum() - chosen.sum() * count / len(content)) < 1
