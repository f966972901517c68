import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from luthier.data.clean_table import TARGETS
from luthier.evaluation.aspects import Aspects
from luthier.evaluation.aspects.robustness import Robustness, examine
from luthier.evaluation.changed_copies import MOST_ROWS, MOST_WRITTEN, changed_copies, copied_rows
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.noise import NEIGHBOURS, NOISES, NOISES_IN_PLACE, TYPOS, typos
from luthier.tasks.head import Head
from luthier.tasks.task import Inference, Predictions
from luthier.tasks.text_generation import TextGeneration
from tests.tiny_models import write_tiny_model
from tests.unit.evaluation.answered import SAMPLES, classified
from tests.unit.evaluation.examinations import examination

TEXTS = st.text(max_size=80)


@pytest.mark.parametrize("name", NOISES)
@given(text=TEXTS)
def test_a_change_follows_from_the_text_alone(name: str, text: str) -> None:
    assert NOISES[name](text) == NOISES[name](text)


@pytest.mark.parametrize("name", NOISES_IN_PLACE)
@given(text=TEXTS)
def test_changes_in_place_move_no_character(name: str, text: str) -> None:
    changed = NOISES_IN_PLACE[name](text)
    assert len(changed) == len(text)
    assert [c.isalpha() for c in changed] == [c.isalpha() for c in text]


@given(text=st.text("abcdefghijklmnopqrstuvwxyz ", min_size=1, max_size=60).filter(str.strip))
def test_as_many_letters_are_mistyped_as_stated(text: str) -> None:
    letters = sum(map(str.isalpha, text))
    hit = max(1, round(TYPOS * letters))
    lost = (Counter(text) - Counter(typos(text))).total()
    # A swap changes no letter, and a letter hit beside may be one that is there.
    assert lost <= hit
    assert typos(text) != text
    assert abs(len(typos(text)) - len(text)) <= hit


def test_a_letter_is_hit_beside_on_the_keyboard() -> None:
    assert set(NEIGHBOURS["g"]) == set("rtyfhvbn")
    assert "p" not in NEIGHBOURS["a"]
    assert all(letter in NEIGHBOURS[other] for letter, others in NEIGHBOURS.items() for other in others)


def test_words_without_letters_and_without_case_stay() -> None:
    assert typos("12 + 3") == "12 + 3"
    assert NOISES["upper case"]("straße ĳ") == "STRAßE Ĳ"


def rows_of(rows: int = 600, words: int = 8) -> Evaluated:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, rows)
    vocabulary = ["River", "stone", "market,", "engine.", "violin", "winter", "garden", "letter"]
    texts = [" ".join(random.choice(vocabulary, words)) + f" {row}" for row in range(rows)]
    test = classified(("no", "yes"), labels, np.eye(2)[labels] * 0.8 + 0.1)
    return replace(test, rows=test.rows.set_column(1, "text", pa.array(texts)))


def asked(test: Evaluated, answer: Callable[[str, str], str]) -> Predictions:
    """What a model that ``answer`` stands for (of text and label) says to the changed rows."""
    rows = copied_rows(test.rows, test.head)
    assert rows is not None
    answers = [answer(row["text"], row["label"]) for row in rows.to_pylist()]
    names = test.head.labels
    evidence = [np.where(np.array(names) == each, 0.9, 0.1).astype(np.float32) for each in answers]
    return Predictions(answers, evidence)


def flip(label: str) -> str:
    return "no" if label == "yes" else "yes"


def test_a_model_that_upper_case_confuses_is_found_out() -> None:
    test = rows_of()
    answers = asked(test, lambda text, label: flip(label) if text.isupper() and len(text) % 3 == 0 else label)
    found = examine(examination(test, changed=answers))
    assert found is not None
    changes = {change.name: change for change in found.changes}
    assert list(changes) == list(NOISES)
    shouted = changes["upper case"]
    assert shouted.gain.is_worse
    assert shouted.after == pytest.approx(1 - shouted.flipped)
    assert (shouted.before, changes["typos"].after, changes["typos"].flipped) == (1, 1, 0)
    assert shouted.examples[0].changed_text.isupper()
    assert shouted.examples[0].answer == flip(shouted.examples[0].changed_answer)
    assert found.sentence.startswith("Upper case cost most: accuracy 0.")
    assert found.confidence == pytest.approx(1 - 0.05 / 4)


def test_a_model_that_nothing_confuses_is_said_to_be_steady() -> None:
    test = rows_of(rows=60)
    found = examine(examination(test, changed=asked(test, lambda text, label: label)))
    assert found is not None
    assert found.sentence == "No change of the texts makes accuracy worse by more than chance."
    assert {change.flipped for change in found.changes} == {0}
    assert TypeAdapter(Robustness).validate_json(json.dumps(asdict(found), allow_nan=False)) == found


def test_nothing_is_said_where_the_model_was_not_asked() -> None:
    assert examine(examination(rows_of(rows=40))) is None


def test_the_rows_that_are_asked_are_bounded_and_follow_from_their_texts() -> None:
    test = rows_of(rows=700).rows
    head = rows_of(rows=2).head
    found = changed_copies(test, head)
    assert max(copies.inside.sum() for copies in found) == MOST_ROWS
    assert all(copies.inside.sum() == len(copies.rows) for copies in found)
    shuffled = test.take(pa.array(np.random.default_rng(1).permutation(700)))
    for one, other in zip(found, changed_copies(shuffled, head), strict=True):
        assert sorted(one.rows["text"].to_pylist()) == sorted(other.rows["text"].to_pylist())
    writers = changed_copies(test, Head("causal-lm"))
    assert max(copies.inside.sum() for copies in writers) == MOST_WRITTEN


def test_a_row_that_a_change_leaves_alone_is_not_asked() -> None:
    test = rows_of(rows=40)
    rows = test.rows.set_column(1, "text", pa.array(["quiet words"] * 20 + ["123"] * 20))
    sizes = {copies.name: copies.inside.sum() for copies in changed_copies(rows, test.head)}
    assert sizes == {"typos": 20, "upper case": 20, "spaces and punctuation": 40}


def test_labels_at_places_stay_right() -> None:
    test = SAMPLES["tags"]()
    for copies in changed_copies(test.rows, test.head):
        for row in copies.rows.to_pylist():
            assert len(row["text"]) == len("Anna lives in Rome today")
            assert [row["text"][s["start"] : s["end"]].isalpha() for s in row["label"]] == [True, True]


def test_of_a_question_the_text_it_is_asked_of_stays() -> None:
    test = SAMPLES["questions"]()
    (text,) = set(test.rows["text"].to_pylist())
    for copies in changed_copies(test.rows, test.head):
        assert set(copies.rows["text"].to_pylist()) == {text}
        assert not set(copies.rows["pair"].to_pylist()) & set(test.rows["pair"].to_pylist())


def test_of_a_conversation_the_last_turn_of_the_user_changes() -> None:
    turns = [("system", "Be brief."), ("user", "Hello there"), ("assistant", "Hi"), ("user", "How are you")]
    written = json.dumps([{"role": role, "content": content} for role, content in turns])
    text = "\n".join(f"{role}: {content}" for role, content in turns)
    rows = pa.table({"text": [text], "pair": pa.array([None], pa.string()), "messages": [written], "label": ["Fine"]})
    found = {copies.name: copies.rows.to_pylist()[0] for copies in changed_copies(rows, Head("causal-lm"))}
    shouted = json.loads(found["upper case"]["messages"])
    assert [turn["content"] for turn in shouted] == ["Be brief.", "Hello there", "Hi", "HOW ARE YOU"]
    assert found["upper case"]["text"] == text.replace("How are you", "HOW ARE YOU")


METRICS = {"multi-label": "f1_micro", "regression": "pearson", "tags": "seqeval_f1", "questions": "squad_f1"}


@pytest.mark.parametrize("kind", METRICS)
def test_every_task_compares_its_answers(kind: str) -> None:
    test = SAMPLES[kind]()
    every = changed_copies(test.rows, test.head)
    places = np.concatenate([np.flatnonzero(copies.inside) for copies in every])
    same = test.predictions
    answers = Predictions([same.answers[row] for row in places], [same.evidence[row] for row in places])
    found = examine(examination(test, metric=METRICS[kind], changed=answers))
    assert found is not None
    assert {change.flipped for change in found.changes} == {None if kind == "regression" else 0}
    steady = [change for change in found.changes if kind != "questions"]
    assert all(change.gain.value == 0 for change in steady)
    # The next row's answer: nearly all are others.
    moved = Predictions(answers.answers[::-1], answers.evidence[::-1])
    assert examine(examination(test, metric=METRICS[kind], changed=moved)) is not None


def test_of_texts_that_a_model_writes_the_likelihood_is_compared_and_none_is_generated(
    tmp_path: Path,
) -> None:
    import torch

    from luthier.models.loading import load_model, load_tokenizer

    task, head = TextGeneration(), Head("causal-lm")
    texts = [f"good film {row}" for row in range(30)]
    nothing = pa.nulls(30, pa.string())
    rows = pa.table({"text": texts, "pair": nothing, "messages": nothing, "label": pa.array(texts, TARGETS["text"])})
    base = write_tiny_model("llama", tmp_path / "base", chat=True)
    model, tokenizer = load_model(base, head, dtype=torch.float32, attention="sdpa"), load_tokenizer(base)
    how = Inference(max_length=32, generated_rows=0)
    test = Evaluated(task, head, "text", rows, task.predict(model, tokenizer, rows, head, how))
    changed = copied_rows(rows, head)
    assert changed is not None
    answers = task.predict(model, tokenizer, changed, head, how)
    assert set(answers.answers) == {None}
    found = examine(examination(test, metric="rouge_l", changed=answers))
    assert found is not None
    assert found.metric == "perplexity"
    assert {change.flipped for change in found.changes} == {None}
    assert all(" nats a token" in flip.answer for change in found.changes for flip in change.examples)


def test_the_page_shows_what_flipped_and_escapes_it(
    make_report: Callable[..., Any], history: Any, hostile: str
) -> None:
    from luthier.evaluation.page import render_page

    test = rows_of(rows=60)
    texts = [f"{hostile} {row}" for row in range(60)]
    test = replace(test, rows=test.rows.set_column(1, "text", pa.array(texts)))
    found = examine(examination(test, changed=asked(test, lambda text, label: flip(label))))
    page = render_page(make_report(test, aspects=Aspects(robustness=found)), history)
    assert "100.0&nbsp;%" in page
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
