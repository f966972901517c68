"""Copies and repetition beside brute force and published examples."""

import random

import pytest

from luthier.evaluation import copying
from luthier.evaluation.copying import copied, fragments
from luthier.evaluation.repetition import distinct, repeated_share
from luthier.evaluation.wordwise import tokens, word_count, written


def contains(collection: list[list[str]], run: list[str]) -> bool:
    size = len(run)
    return any(text[start : start + size] == run for text in collection for start in range(len(text) - size + 1))


@pytest.mark.parametrize("seed", range(60))
def test_shared_runs_are_those_that_brute_force_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    least = draw.randint(1, 4)
    monkeypatch.setattr(copying, "LONG", least)

    def texts(count: int) -> list[list[str]]:
        return [[draw.choice("abc") for _ in range(draw.randint(0, 11))] for _ in range(count)]

    asked, collection = texts(draw.randint(1, 4)), texts(draw.randint(0, 4))
    for text, found in zip(asked, copied(asked, collection), strict=True):
        runs = [(start, end) for end in range(len(text) + 1) for start in range(end)]
        shared = [(start, end) for start, end in runs if contains(collection, text[start:end])]
        longest = max((end - start for start, end in shared), default=0)
        inside = {place for start, end in shared if end - start >= least for place in range(start, end)}
        assert found.longest == longest
        assert found.share == pytest.approx(len(inside) / len(text) if text else 0)
        assert not longest or contains(collection, text[found.end - longest : found.end])


def test_no_run_goes_from_one_text_to_the_next() -> None:
    first, second = copied([["a", "b"], ["c", "d"]], [["b", "c"], ["a", "b", "c", "d"]])
    assert (first.longest, second.longest) == (2, 2)
    joined = copied([["a", "b", "c", "d"]], [["a", "b"], ["c", "d"]])
    assert joined[0].longest == 2


def test_fragments_are_the_greedy_ones_of_the_paper() -> None:
    """Grusky et al. (2018), section 4: coverage is the sum of lengths by the summary's, density that of squares."""
    source = ["the", "cat", "sat", "on", "the", "mat", "because", "the", "dog", "sat", "on", "the", "chair"]
    assert fragments(source, ["the", "dog", "sat", "on", "the", "mat"]) is not None
    # "the dog sat on the" is the longest extract from the first token on, then "mat".
    found = fragments(source, ["the", "dog", "sat", "on", "the", "mat"])
    assert found is not None
    assert found.coverage == 1 and found.density == pytest.approx((5**2 + 1**2) / 6)
    found = fragments(source, ["a", "cat", "sat", "there"])
    assert found is not None
    assert found.coverage == pytest.approx(2 / 4) and found.density == pytest.approx(2**2 / 4)
    assert fragments(source, []) is None
    nothing = fragments([], ["new"])
    assert nothing is not None and (nothing.coverage, nothing.density) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_fragment_is_the_longest_from_its_token_on(seed: int) -> None:
    draw = random.Random(seed)
    source, summary = ([draw.choice("abcd") for _ in range(draw.randint(1, 15))] for _ in range(2))
    place, lengths = 0, []
    while place < len(summary):
        fits = [size for size in range(len(summary) - place + 1) if contains([source], summary[place : place + size])]
        lengths.append(max(fits))
        place += max(1, max(fits))
    found = fragments(source, summary)
    assert found is not None
    assert found.coverage == pytest.approx(sum(lengths) / len(summary))
    assert found.density == pytest.approx(sum(size**2 for size in lengths) / len(summary))


def test_repetition_is_the_share_of_ngrams_that_were_there_before() -> None:
    assert repeated_share(["a", "b", "c", "d", "e", "f", "g"]) == 0
    # Nine 4-grams, all of them the same.
    assert repeated_share(["no"] * 12) == pytest.approx(8 / 9)
    # a b c d | b c d a | c d a b | d a b c | a b c d again
    assert repeated_share(["a", "b", "c", "d", "a", "b", "c", "d"]) == pytest.approx(1 / 5)
    assert repeated_share(["short"]) is None


def test_distinct_counts_ngrams_of_all_texts_together() -> None:
    texts = [["i", "do", "not", "know"], ["i", "do"]]
    assert distinct(texts, 1) == pytest.approx(4 / 6)
    assert distinct(texts, 2) == pytest.approx(3 / 4)
    assert distinct([["one"]], 2) is None


def test_words_are_lower_case_and_characters_where_no_spaces_part_them() -> None:
    assert tokens("İs it 3.5, Ann?") == ["i̇s", "it", "3", ".", "5", ",", "ann", "?"]
    assert tokens("数学 ok") == ["数", "学", "ok"]
    assert word_count("Well, yes!") == 2
    assert written("Well, it IS so.", 2, 4) == "it IS"
