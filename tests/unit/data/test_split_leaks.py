"""Nothing is in two splits, whatever the rows are."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.data.leakage import labels_complete
from tests.unit.data.conftest import KINDS, SPLITS, leaks, lines

ROWS = lines()
WORDS = st.lists(st.sampled_from(["Good", "good", "bad.", "film", "a", "\x00", "FILM!", " ", "\xe9"]), max_size=3)
PAIRS = st.lists(st.tuples(WORDS.map(" ".join), st.sampled_from(["a", "b", "", " "])), max_size=40)
OPTIONS = st.fixed_dictionaries(
    {
        "split": st.fixed_dictionaries({"by": st.sampled_from(["stratified", "random", "hash"])}),
        "duplicates": st.fixed_dictionaries(
            {
                "exact": st.sampled_from(["drop", "together"]),
                "near": st.sampled_from(["drop", "together"]),
                "conflicts": st.sampled_from(["drop", "majority", "keep"]),
            }
        ),
    }
)


@given(PAIRS, OPTIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_add_up_and_nothing_is_in_two_splits(divide, pairs: list[tuple[str, str]], options: Any) -> None:
    divided = divide([*ROWS[:30], *({"text": text, "label": label} for text, label in pairs)], **options)
    rows = divided.facts["rows"]
    assert rows["raw"] == 30 + len(pairs) == sum(rows[name] for name in (*SPLITS, *KINDS))
    assert leaks(divided) == {}
    used = [row["row"] for name in SPLITS for row in divided.table(name)]
    assert len(used) == len(set(used))
    assert len(used) + len(divided.table("rejected")) == 30 + len(pairs)
    if options["split"]["by"] == "stratified":
        assert labels_complete(divided.splits) == []


NAMED = {"group": "group", "time": "time", "given": "split"}
PLACED = st.lists(
    st.tuples(WORDS.map(" ".join), st.sampled_from("ab"), st.integers(0, 5), st.sampled_from(SPLITS)), max_size=40
)


@given(PLACED, st.sampled_from(sorted(NAMED)), OPTIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_leaks_whatever_places_the_rows_and_a_given_test_row_stays(
    divide, placed: list[tuple[str, str, int, str]], by: str, options: Any
) -> None:
    own = [{**row, "at": str(100 + number), "part": SPLITS[number % 3]} for number, row in enumerate(ROWS[:30])]
    rows = [*own, *({"text": t, "label": label, "at": str(at), "part": part} for t, label, at, part in placed)]
    columns = {"text": "text", "label": "label", NAMED[by]: "part" if by == "given" else "at"}
    divided = divide(rows, **{**options, "columns": columns, "split": {"by": by}})
    counts = divided.facts["rows"]
    assert counts["raw"] == len(rows) == sum(counts[name] for name in (*SPLITS, *KINDS))
    assert leaks(divided) == {}
    if by == "given":
        tests = [row for row in rows if row["part"] == "test" and row["text"].strip() and "\0" not in row["text"]]
        assert counts["test"] == len(tests)


@given(PAIRS, st.integers(1, 29), st.sampled_from(["drop", "together"]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_adding_rows_never_moves_a_row_that_is_split_by_hash(
    divide, pairs: list[tuple[str, str]], before: int, near: str
) -> None:
    rows = [*ROWS[:30], *({"text": text, "label": label} for text, label in pairs)]
    options = {"split": {"by": "hash"}, "duplicates": {"near": near, "exact": near, "conflicts": "keep"}}
    few, all_of_them = (
        divide(rows[:before] + ROWS[30:], **options),
        divide(rows[:before] + ROWS[30:] + rows[before:], **options),
    )
    for row, split in all_of_them.place.items():
        assert few.place.get(row, split) == split


def test_an_answer_to_a_test_row_leaves_the_prompts_of_train(divide) -> None:
    answer = "because the harbour was frozen all winter long"
    train = [*ROWS[:40], {"text": f"they said it was {answer}, which nobody believed", "label": "x"}]
    test = [{"text": row["text"], "label": row["text"][::-1]} for row in ROWS[40:]]
    test[0]["label"] = answer
    divided = divide({"train": train, "test": test}, label_kind="text")
    assert divided.reasons == {41: "train prompt with the answer of line 1 of test.jsonl in test"}
    assert leaks(divided) == {}


@pytest.mark.parametrize("near", ["drop", "together"])
@pytest.mark.parametrize("exact", ["drop", "together"])
def test_prompts_with_several_answers_leave_or_stay_as_one(divide, exact: str, near: str) -> None:
    prompts = [f"tell me all about the {name} of the old town" for name in ("harbour", "harbours", "castle hill")]
    asked = [{"text": prompt, "label": f"{number} {prompt[::-1]}"} for prompt in prompts for number in range(4)]
    rows = [{**row, "label": f"answer {number}"} for number, row in enumerate(ROWS)]
    divided = divide([*rows, *asked], label_kind="text", duplicates={"exact": exact, "near": near})
    assert leaks(divided) == {}
    places = [{divided.place.get(60 + 4 * prompt + number) for number in range(4)} for prompt in range(3)]
    assert [len(place) for place in places] == [1, 1, 1]
    assert (places[1] == {None}) == (near == "drop")


def crowd(rows: int, seed: int) -> list[dict[str, str]]:
    """One template of forty words with three to six of them replaced: some pairs are near-duplicates, some are not."""
    chance = random.Random(seed)
    words = [f"{chance.choice('bcdfgh')}{chance.choice('aeiou')}{number}word" for number in range(90)]
    made = []
    for row in range(rows):
        text = words[:40]
        for _ in range(chance.randint(3, 6)):
            text[chance.randrange(40)] = chance.choice(words)
        made.append({"text": " ".join(text), "label": "ab"[row % 2]})
    return made


@pytest.mark.parametrize("near", ["drop", "together"])
@pytest.mark.parametrize("by", ["stratified", "hash", "given"])
@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_made_from_one_template_leaks_nothing(divide, seed: int, by: str, near: str) -> None:
    rows = crowd(300, seed)
    given_rows = {"train": [*ROWS, *rows[:200]], "test": rows[200:]} if by == "given" else [*ROWS, *rows]
    divided = divide(given_rows, split={"by": by}, duplicates={"near": near, "conflicts": "keep"})
    assert leaks(divided) == {}
    if by == "given":
        assert divided.facts["rows"]["test"] == 100
