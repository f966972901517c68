"""Baselines of tasks that answer with texts, spans and tags."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from luthier.evaluation import retrieval
from luthier.evaluation.answer_baselines import answer_baselines
from luthier.evaluation.retrieval import most_frequent, nearest, retrieved, token_frequencies
from luthier.evaluation.scores import point
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference
from tests.tiny_models import write_tiny_model
from tests.unit.tasks.conftest import table

HOW = Inference(max_length=32, max_new_tokens=4, generated_rows=2)


def test_the_nearest_text_is_the_one_that_shares_rare_words() -> None:
    among = ["the film was the best", "the zebra was grey", "the film of the zebra"]
    assert nearest(["a zebra that is grey", "the best"], among) == [1, 0]
    assert nearest([], among) == []
    assert retrieved(["grey zebra"], among, ["one", None, "three"]) == ["three"]


def test_of_many_texts_a_sample_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "MOST_TEXTS", 10)
    among = [f"word{row}" for row in range(100)]
    found = nearest(among, among)
    assert len(set(found)) <= 11 and sum(place == row for row, place in enumerate(found)) == 10


def test_the_usual_answer_and_how_likely_tokens_are_by_their_number() -> None:
    assert most_frequent(["b", "a", None, "a"]) == "a"
    losses = token_frequencies([2, 2, 0], 4)
    assert np.exp(-losses) == pytest.approx([2 / 7, 1 / 7, 3 / 7, 1 / 7])


@pytest.mark.parametrize(("name", "family"), [("text-generation", "llama"), ("summarization", "bart")])
def test_generation_has_the_usual_the_nearest_and_the_bases_answer(name: str, family: str, tmp_path: Path) -> None:
    base = write_tiny_model(family, tmp_path)
    task, head = TASKS[name], Head("causal-lm" if family == "llama" else "seq2seq-lm")
    train = table(["good film", "bad scene", "awful plot"], ["great", "poor", "great"])
    test = table(["a bad scene", "a plot", "a film"], ["bad", "great", "great"])
    found = task.baselines(BaselineInputs(train, test, head, base, HOW))
    assert set(found) - {"lead"} == {"majority", "retrieval", "untuned base"}
    assert found["majority"].answers == ["great"] * 3
    assert found["retrieval"].answers == ["poor", "great", None]
    # Tokens that training answers have often are likelier: less perplexing than a random model is.
    usual, untuned = (
        point("perplexity", *task.compared("perplexity", test, found[baseline], head))
        for baseline in ("majority", "untuned base")
    )
    assert usual < untuned
    counts = [len(losses) for losses in found["majority"].evidence]
    assert counts == [len(losses) for losses in found["untuned base"].evidence] and all(counts)


def test_questions_are_answered_by_sentences_near_to_them_and_by_none_where_training_has_such(tmp_path: Path) -> None:
    base = write_tiny_model("bert", tmp_path)
    text = "The film was good. The actor was awful in every scene.\nThe music was great."
    answered = [[(0, 3, "answer")], []]
    train = table([text, text], answered, ["what was it", "who was it"])
    test = table([text, text], answered, ["Was the music great?", "was the film good?"])
    given = BaselineInputs(train, test, Head("question-answering"), base, HOW)
    found = answer_baselines(given)
    assert list(found) == ["first sentence", "word overlap", "tf-idf", "untuned base", "no answer"]
    assert found["tf-idf"] == ["The music was great.", "The film was good."]
    assert set(found["untuned base"]) <= {
        "The film was good.",
        "The music was great.",
        text.split(". ")[1].split("\n")[0],
    }
    assert found["no answer"] == ["", ""]
    all_answered = BaselineInputs(train.slice(0, 1), test, given.head, base, HOW)
    assert "no answer" not in answer_baselines(all_answered)


def test_tags_follow_from_the_words_around_and_from_the_bases_states(tmp_path: Path) -> None:
    """A word after "the" is a thing, and its own letters say nothing."""
    base = write_tiny_model("bert", tmp_path)
    head, task = Head("token-classification", ("O", "B-thing", "I-thing")), TASKS["token-classification"]
    random = np.random.default_rng(0)

    def rows(names: list[str]) -> pa.Table:
        texts = [f"{a} was the {b}" for a, b in (random.choice(names, 2) for _ in range(60))]
        return table(texts, [[(text.rindex(" ") + 1, len(text), "thing")] for text in texts])

    def scores(test: pa.Table) -> dict[str, float]:
        found = task.baselines(BaselineInputs(train, test, head, base, HOW))
        assert list(found) == ["majority per word", "words in context", "untuned base"]
        return {name: point("seqeval_f1", test["label"].to_pylist(), one.answers) for name, one in found.items()}

    train = rows(["film", "plot", "good"])
    known, unknown = scores(rows(["film", "plot", "good"])), scores(rows(["zyx", "vwu", "qqq"]))
    assert known["words in context"] > 0.95 and known["untuned base"] > 0.95 > known["majority per word"]
    assert unknown["words in context"] > 0.95 and unknown["majority per word"] == 0


def test_training_rows_of_one_tag_make_constant_taggers(tmp_path: Path) -> None:
    base = write_tiny_model("bert", tmp_path)
    head = Head("token-classification", ("O", "B-thing", "I-thing"))
    rows = table(["good film", ""], [[], []])
    found = TASKS["token-classification"].baselines(BaselineInputs(rows, rows, head, base, HOW))
    assert {name: one.answers for name, one in found.items()} == {name: [[], []] for name in found}
