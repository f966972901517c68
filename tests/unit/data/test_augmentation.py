import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.augmentation import NewRow, augment
from luthier.data.text import clean_text, normalised
from luthier.errors import DataError
from luthier.recipe.data_section import Augmentation

WORDS = [f"w{index}" for index in range(100)]
KINDS = ["swap", "delete", "insert"]
TEXTS = st.lists(st.text(max_size=40).map(clean_text).filter(bool), max_size=12)


def made(texts, rows=None, *, kinds=KINDS, copies=1, share=0.1, pairs=None, seed=1, forbidden=frozenset(), **more):
    settings = Augmentation(kinds=kinds, copies=copies, share=share)
    given_rows = range(len(texts)) if rows is None else rows
    options = {"pairs": pairs or [None] * len(texts), "seed": seed, "forbidden": forbidden, "fill_masks": None, **more}
    return list(augment(texts, given_rows, settings, **options))


def sentences(count: int, words: int = 20, *, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.sample(WORDS, words)) for _ in range(count)]


def shouted(texts, places):
    """Stands for a language model: the chosen words, twice in one."""
    rows = [text.split() for text in texts]
    return [
        " ".join(word + word if place in at else word for place, word in enumerate(row))
        for row, at in zip(rows, places, strict=True)
    ]


@given(TEXTS, st.integers(1, 4), st.sampled_from([0.1, 0.5]), st.integers(0, 3))
def test_no_new_row_is_empty_or_says_what_another_row_says(texts, copies, share, seed) -> None:
    held_out = {normalised(row.text) for row in made(texts, share=share, seed=seed)}
    rows = made(texts, copies=copies, share=share, seed=seed, forbidden=held_out)
    keys = [normalised(row.text) for row in rows]
    assert all(clean_text(row.text) == row.text != "" for row in rows)
    assert len(set(keys)) == len(keys)
    assert not set(keys) & (held_out | set(map(normalised, texts)))
    assert max(Counter(row.parent for row in rows).values(), default=0) <= copies


@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(texts, chance) -> None:
    numbered = list(enumerate(texts))
    shuffled = chance.sample(numbered, len(numbered))
    one, other = (
        made([text for _, text in order], [row for row, _ in order], kinds=[*KINDS, "mask"], fill_masks=shouted)
        for order in (numbered, shuffled)
    )
    assert one == other


def test_a_new_row_depends_on_its_text_and_the_seed_and_on_no_other_row() -> None:
    texts = sentences(700)
    alone = made(texts[:1], [0])
    assert alone == [row for row in made(texts) if row.parent == 0]
    assert alone != made(texts[:1], [0], seed=2)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_each_kind_changes_the_asked_share_of_the_words(share: float) -> None:
    for words in (2, 3, 7, 20, 41):
        text = " ".join(WORDS[:words])
        changed = max(1, round(share * words))
        for row in made([text], kinds=[*KINDS, "mask"], copies=8, share=share, fill_masks=shouted):
            found = row.text.split()
            if row.kind == "delete":
                assert found == [word for word in text.split() if word in found]
                assert len(found) == words - changed
            elif row.kind == "insert":
                assert Counter(found).keys() == set(text.split())
                assert len(found) == words + changed
            else:
                moved = sum(one != other for one, other in zip(found, text.split(), strict=True))
                assert moved == (changed if row.kind == "mask" else 2 * max(1, changed // 2))
                assert row.kind == "mask" or sorted(found) == sorted(text.split())


def test_copies_of_a_row_are_made_in_turn_and_the_kinds_of_many_rows_are_even() -> None:
    rows = made(sentences(600), copies=3)
    assert len(rows) == 1800
    kinds = {parent: {row.kind for row in rows if row.parent == parent} for parent in range(30)}
    assert all(found == set(KINDS) for found in kinds.values())
    even = Counter(row.kind for row in made(sentences(600)))
    assert all(150 < even[kind] < 250 for kind in KINDS)


def test_a_text_of_one_word_is_repeated_or_masked_and_never_swapped_or_deleted() -> None:
    assert made(["good"], kinds=["swap", "delete"], copies=4) == []
    assert made(["good"], kinds=["swap", "insert"]) == [NewRow(0, "insert", "good good")]
    assert made(["good"], kinds=["delete", "mask"], fill_masks=shouted) == [NewRow(0, "mask", "goodgood")]


def test_a_planted_leak_is_tried_again_and_a_text_with_no_other_way_is_left_out() -> None:
    assert made(["good film"], kinds=["swap"]) == [NewRow(0, "swap", "film good")]
    assert made(["good film"], kinds=["swap"], forbidden={"film good"}) == []
    assert made(["good film", "Film, good!"], kinds=["swap"]) == []
    assert made(["good film"], kinds=["delete"], forbidden={"good"}) == [NewRow(0, "delete", "film")]
    assert made(["wow wow"], kinds=["swap", "insert"]) == [NewRow(0, "insert", "wow wow wow")]


def test_a_change_that_normalisation_takes_back_is_no_new_row() -> None:
    assert made(["good ! ?"], kinds=["swap", "delete"]) == []
    assert made(["good film"], kinds=["mask"], fill_masks=lambda texts, places: [t.upper() for t in texts]) == []


def test_a_zero_width_word_left_alone_is_no_text() -> None:
    assert [row.text for row in made(["good \u200b"], kinds=["delete"], copies=8)] == []


def test_kind_mask_without_a_model_is_refused() -> None:
    with pytest.raises(DataError, match=r"data\.augmentation\.model"):
        made(["good film"], kinds=["mask"])
