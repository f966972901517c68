from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.cleaning import Example
from luthier.data.splitting import SPLITS, Shares, sample, split
from luthier.errors import DataError


def _examples(counts: dict[str, int]) -> list[Example]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [Example(row, row + 2, f"text {row}", label, f"text {row}") for row, label in enumerate(labels)]


COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(3, 60), min_size=1)
HELD_OUT = st.sampled_from([0.05, 0.1, 0.15, 0.2, 0.29, 0.3, 0.45])


@given(COUNTS, HELD_OUT, HELD_OUT, st.booleans(), st.integers(0, 3))
def test_every_example_is_in_one_split_and_every_split_has_every_label(
    counts: dict[str, int], validation: float, test: float, stratified: bool, seed: int
) -> None:
    examples = _examples(counts)
    divided = split(examples, Shares(validation, test), labels=sorted(counts), stratified=stratified, seed=seed)
    assert sorted(e.row for members in divided.values() for e in members) == list(range(len(examples)))
    assert all(divided[name] for name in SPLITS)
    if stratified:
        assert all({e.label for e in divided[name]} == set(counts) for name in SPLITS)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(20, 90), min_size=1), HELD_OUT, HELD_OUT, st.booleans())
def test_sizes_are_within_one_row_of_the_shares(
    counts: dict[str, int], validation: float, test: float, stratified: bool
) -> None:
    examples = _examples(counts)
    divided = split(examples, Shares(validation, test), labels=sorted(counts), stratified=stratified, seed=1)
    wanted = dict(zip(SPLITS, (1 - validation - test, validation, test), strict=True))
    for name in SPLITS:
        assert abs(len(divided[name]) - wanted[name] * len(examples)) <= 1 + 1e-9
        balance = Counter(e.label for e in divided[name])
        for label in counts if stratified else ():
            assert abs(balance[label] - wanted[name] * counts[label]) <= 1 + 1e-9


@given(st.randoms(use_true_random=False), st.booleans(), st.integers(20, 70))
def test_the_order_of_the_examples_does_not_matter(random, stratified: bool, size: int) -> None:
    examples = _examples({"a": 40, "b": 25})
    shuffled = random.sample(examples, len(examples))
    shares = Shares(0.15, 0.15)
    for one, other in [(examples, shuffled), (sample(examples, size, seed=3), sample(shuffled, size, seed=3))]:
        divided = [split(rows, shares, labels=["a", "b"], stratified=stratified, seed=5) for rows in (one, other)]
        assert divided[0] == divided[1]


def test_another_seed_divides_otherwise() -> None:
    examples = _examples({"a": 50, "b": 50})
    tests = [split(examples, Shares(0.2, 0.2), labels=["a", "b"], stratified=True, seed=s)["test"] for s in (1, 2)]
    assert {e.row for e in tests[0]} != {e.row for e in tests[1]}


def test_rows_are_not_in_the_order_of_their_labels() -> None:
    divided = split(_examples({"a": 50, "b": 50}), Shares(0.2, 0.2), labels=["a", "b"], stratified=True, seed=1)
    labels = [e.label for e in divided["train"]]
    assert labels != sorted(labels)


@pytest.mark.parametrize(
    ("counts", "labels", "stratified", "what"),
    [
        ({"a": 30, "b": 2}, ["a", "b"], True, "2 rows of label 'b' .* need 3"),
        ({"a": 30, "b": 30}, ["a", "b", "c"], True, "0 rows of label 'c' .* need 3"),
        ({"a": 1, "b": 1}, ["a", "b"], False, "2 rows after .* need 3"),
    ],
)
def test_too_few_rows(counts: dict[str, int], labels: list[str], stratified: bool, what: str) -> None:
    with pytest.raises(DataError, match=what):
        split(_examples(counts), Shares(0.15, 0.15), labels=labels, stratified=stratified, seed=1)


def test_a_rare_label_is_no_obstacle_without_stratification() -> None:
    divided = split(_examples({"a": 30, "b": 1}), Shares(0.15, 0.15), labels=["a", "b"], stratified=False, seed=1)
    assert sum(map(len, divided.values())) == 31


@given(COUNTS, st.integers(1, 400))
def test_a_sample_keeps_the_labels_shares(counts: dict[str, int], size: int) -> None:
    examples = _examples(counts)
    drawn = sample(examples, size, seed=1)
    assert len(drawn) == len({e.row for e in drawn}) == min(size, len(examples))
    for label, count in counts.items():
        assert abs(sum(e.label == label for e in drawn) - len(drawn) * count / len(examples)) < 1
