"""Rows of two texts: what is the same, nearly the same, and a leak is so of both together."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.clean_table import TokenLimit
from luthier.data.leakage import SHARED_CONTEXTS, find_leaks
from luthier.data.near_duplicates import Banding, band_hashes, similar_pairs
from luthier.data.shingles import ShingleSets
from luthier.data.text import key_of, normalised
from luthier.data_report.report import DataReport, data_report
from luthier.data_report.wording import division_sentence
from tests.unit.data.conftest import SPLITS, lines

COLUMNS = {"columns": {"text": "text", "pair": "other", "label": "label"}}
NEAR = {"text": "the quick brown fox jumps over the lazy dog and runs home", "label": "a"}
ROWS = [{**row, "other": f"{row['text'][::-1]} {number}"} for number, row in enumerate(lines())]


def _leaks(divided: Any) -> dict[str, dict[str, int]]:
    return {kind: found for kind, found in find_leaks(divided.splits).counts.items() if found}


def test_both_texts_are_cleaned_and_written(divide) -> None:
    rows = [{**row, "other": f"<b>{row['other']}</b> &amp; so"} for row in ROWS]
    divided = divide(rows, **COLUMNS)
    for split in SPLITS:
        for row in divided.table(split):
            assert (row["text"], row["pair"]) == (ROWS[row["row"]]["text"], f"{ROWS[row['row']]['other']} & so")
            assert row["messages"] is None
    assert _leaks(divided) == {}
    assert all(row["pair"] is None for row in divide(ROWS).table("train"))


@pytest.mark.parametrize(
    ("other", "cleaning", "reason"),
    [
        (None, {}, "missing pair"),
        (" ", {}, "empty pair"),
        ("<p></p>", {}, "empty pair"),
        ("x" * 301, {"max_characters": 300}, "301 characters of the pair, data.cleaning.max_characters is 300"),
        ("I am joe@example.org", {"pii": "reject"}, "1 email"),
    ],
)
def test_a_pair_that_cannot_be_used_rejects_its_row(divide, other: str | None, cleaning: Any, reason: str) -> None:
    divided = divide([*ROWS, {**NEAR, "other": other}], cleaning=cleaning, **COLUMNS)
    assert divided.reasons == {61: reason}


def test_personal_data_in_a_pair_is_masked_and_a_template_makes_pairs(divide) -> None:
    rows = [{**row, "mail": f"joe{number}@example.org"} for number, row in enumerate(ROWS)]
    columns = {**COLUMNS["columns"], "pair": "{mail}: {other}"}
    divided = divide(rows, columns=columns, cleaning={"pii": "mask"})
    assert divided.facts["pii"] == {"email": 60}
    assert all(row["pair"].startswith("[EMAIL]: ") for row in divided.table("train"))


def test_rows_say_the_same_only_when_both_texts_do(divide) -> None:
    one, other = ROWS[0], ROWS[1]
    planted = [
        {**one, "text": one["text"].upper(), "other": one["other"].upper()},
        {**one, "other": other["other"]},
        {**other, "text": one["text"]},
        {"text": one["other"], "other": one["text"], "label": "a"},
        {**ROWS[2], "label": "ab"[ROWS[2]["label"] == "a"]},
    ]
    divided = divide([*ROWS, *planted], duplicates={"near": "together"}, **COLUMNS)
    assert divided.reasons == {
        3: "conflicting labels: a, b",
        61: "duplicate of line 1",
        63: "conflicting labels: a, b",
        62: "conflicting labels: a, b",
        65: "conflicting labels: a, b",
    }


def test_rows_are_near_only_when_both_texts_are(divide) -> None:
    other = "a much longer second text, which says nothing at all about foxes or dogs or home"
    planted = [
        {**NEAR, "other": other},
        {**NEAR, "text": f"{NEAR['text']}s", "other": f"{other}s"},
        {**NEAR, "text": f"{NEAR['text']}z", "other": "who jumps over whom here, and where does it go then"},
        {"text": "something else that is as long as the first of them all", "other": other, "label": "a"},
    ]
    divided = divide([*ROWS, *planted], **COLUMNS)
    assert set(divided.reasons) == {62}
    assert divided.reasons[62].startswith("near-duplicate of line 61 (similarity 0.9")
    assert f"{NEAR['text']} \n {other}" == divided.facts["near_duplicates"]["examples"][0]["first"]


def _naive(one: str, other: str) -> float:
    a, b = ({text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in (one, other))
    return len(a & b) / len(a | b)


@given(st.lists(st.tuples(*[st.text("ab c", min_size=1, max_size=12).map(normalised).filter(bool)] * 2), min_size=2))
def test_the_similarity_of_pairs_is_that_of_the_less_similar_texts(pairs: list[tuple[str, str]]) -> None:
    keys = pa.array([key_of(*pair) for pair in pairs], pa.large_string())
    a, b = np.triu_indices(len(pairs), 1)
    expected = [min(map(_naive, pairs[i], pairs[j])) for i, j in zip(a, b, strict=True)]
    assert ShingleSets(keys).jaccard(a, b).tolist() == expected


def test_pairs_near_the_threshold_are_found_though_their_texts_are_alike() -> None:
    rng = np.random.default_rng(5)
    words, keys, planted = [f"{number:x}word" for number in range(3000)], [], 0
    for _ in range(400):
        frame = [words[at] for at in rng.integers(0, 3000, 40)]
        own = [" ".join([*frame[:20], *(words[at] for at in rng.integers(0, 3000, 5)), *frame[20:]]) for _ in range(4)]
        keys += [key_of(*own[:2]), key_of(*own[2:])]
        planted += min(_naive(own[0], own[2]), _naive(own[1], own[3])) >= 0.8
    near = similar_pairs(band_hashes(keys, Banding.for_threshold(0.8)), pa.array(keys, pa.large_string()), 0.8)
    assert (near.b - near.a == 1).all() and planted > 300
    assert 0.99 * planted <= len(near) <= planted


def test_a_pair_that_is_planted_in_two_splits_is_a_leak_and_a_text_alone_is_none(divide) -> None:
    test = [{**ROWS[50], "other": ROWS[0]["other"]}, *ROWS[40:]]
    train = [*ROWS[:40], {**ROWS[0], "other": ROWS[50]["other"]}]
    divided = divide({"train": train, "test": test}, **COLUMNS)
    assert divided.reasons == {} and _leaks(divided) == {}
    divided = divide({"train": [*train, ROWS[50]], "test": test}, **COLUMNS)
    assert divided.reasons == {42: "duplicate of line 12 of test.jsonl"}


def test_new_rows_change_the_text_alone_and_leak_nothing(divide) -> None:
    divided = divide(ROWS, augmentation={"below": 1000, "copies": 2}, balance="oversample", **COLUMNS)
    pairs = {row["row"]: row["pair"] for row in divided.table("train")}
    new = [row for row in divided.table("train") if row["parent"] is not None]
    assert new and all(row["pair"] == pairs[row["parent"]] for row in new)
    assert _leaks(divided) == {}


def test_tokens_of_both_texts_count(divide) -> None:
    limit = {"limit": TokenLimit(lambda *texts: [len(" ".join(both).split()) for both in zip(*texts, strict=True)], 11)}
    divided = divide([*ROWS, {**ROWS[0], "other": "w " * 9}], cleaning={"over_long": "drop"}, options=limit, **COLUMNS)
    assert divided.reasons == {61: "14 tokens, max_length is 11"}


def _questions(group: bool) -> dict[str, Any]:
    columns = {"text": "context", "pair": "question", "label": "answer", "answer_start": "answer_start"}
    return {
        "columns": {**columns, **({"group": "name"} if group else {})},
        "label_kind": "answers",
        "split": {"by": "group" if group else "random"},
    }


def _asked() -> list[dict[str, Any]]:
    """Four questions about each of forty texts; every fourth is not answered there."""
    rows = []
    for number, row in enumerate(lines(rows=40)):
        words = row["text"].split()
        for place, how in enumerate(("comes first", "stands second here", "is what follows then", "is never said")):
            answer = words[place] if place < 3 else ""
            start = row["text"].index(answer) if answer else -1
            asked = f"which word {how} in the text of number {number}"
            common = {"name": str(number), "context": row["text"], "question": asked}
            rows.append({**common, "answer": answer, "answer_start": start})
    return rows


@pytest.mark.parametrize("group", [True, False])
def test_questions_about_one_text_are_different_rows_and_contexts_in_two_splits_are_told(divide, group: bool) -> None:
    divided = divide(_asked(), **_questions(group))
    assert divided.facts["rows"]["rejected"] == divided.facts["rows"]["duplicates"] == 0
    assert divided.facts["labels"] == [] and divided.facts["conflicts"]["texts"] == 0
    for row in [row for split in SPLITS for row in divided.table(split)]:
        answers = [row["text"][span["start"] : span["end"]] for span in row["label"]]
        assert answers == ([_asked()[row["row"]]["answer"]] if row["row"] % 4 < 3 else [])
    found = find_leaks(divided.splits)
    texts = [set(divided.texts(split)) for split in SPLITS]
    shared = {text for one in texts for text in one if sum(text in other for other in texts) > 1}
    assert not any(found.counts.values())
    assert found.contexts == len(shared) and (found.contexts == 0) == group
    report = _report(divided)
    assert (f"Contexts in two splits, with different questions: {len(shared)}." in division_sentence(report)) == bool(
        shared
    )


def test_a_question_asked_twice_is_a_duplicate_whatever_its_answer(divide) -> None:
    rows = _asked()
    divided = divide(
        [*rows, {**rows[0], "answer": rows[1]["answer"], "answer_start": rows[1]["answer_start"]}], **_questions(True)
    )
    assert divided.reasons == {161: "duplicate of line 1"}


def test_where_no_questions_are_asked_no_contexts_are_told(divide) -> None:
    found = find_leaks(divide(ROWS, **COLUMNS).splits)
    assert found.contexts is None and SHARED_CONTEXTS not in found.as_json()["compared"]


def test_a_report_shows_both_texts_of_a_pair_and_what_answers_are(divide) -> None:
    long = "a context that is longer than what a report shows " * 20
    rows = [*_asked(), {**_asked()[0], "context": long, "answer": "longer", "answer_start": 18}]
    previews = [row for split in _report(divide(rows, **_questions(True))).previews.values() for row in split]
    asked = _asked()
    for row in [row for row in previews if row.row is not None and row.row < len(asked)]:
        text, question, answer = (asked[row.row][name] for name in ("context", "question", "answer"))
        assert (row.text, row.label) == (f"{text} | {question}", f"answer: {answer}" if answer else "")
    conflict = [{**row, "other": long} for row in (NEAR, {**NEAR, "label": "b"})]
    shown = _report(divide([*ROWS, *conflict], **COLUMNS)).facts["conflicts"]["examples"][0]["text"]
    assert shown.startswith(f"{NEAR['text']} | a context") and len(shown) == len(NEAR["text"]) + 3 + 400


def _report(divided: Any) -> DataReport:
    leaks = find_leaks(divided.splits).as_json()
    return data_report(
        divided.splits, recipe="qa", sources=["a"], fingerprint="f", lengths={}, max_length=9, leaks=leaks
    )
