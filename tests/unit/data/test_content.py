import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.content import digests, ranks, same

TEXTS = st.lists(st.text(max_size=4), max_size=60)


@given(TEXTS)
def test_same_finds_the_first_of_equal_texts(texts: list[str]) -> None:
    assert same(digests(texts)).tolist() == [texts.index(text) for text in texts]


@given(TEXTS)
def test_a_rank_follows_from_the_text_alone(texts: list[str]) -> None:
    assert ranks(digests(texts), "a").tolist() == [int(ranks(digests([text]), "a")[0]) for text in texts]


def test_ranks_are_uniform_and_those_of_another_purpose_are_independent() -> None:
    content = digests(map(str, range(20_000)))
    one, other = (ranks(content, purpose) / 2.0**64 for purpose in ("split 1", "split 2"))
    assert np.abs(np.histogram(one, bins=10, range=(0, 1))[0] / 2000 - 1).max() < 0.1
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
