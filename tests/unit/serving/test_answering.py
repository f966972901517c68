"""The rows of several requests answered together."""

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from luthier.packaging.merging import write_servable
from luthier.packaging.serving import ServedModel
from luthier.serving.answering import AnsweringModel
from luthier.serving.job import Answer, Job, Piece, Refused
from tests.served import answers
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, tuned


class Log:
    """Keeps what is recorded."""

    def __init__(self):
        self.recorded = []

    def record(self, rows: pa.Table, answers: pa.Table, *, version: str) -> None:
        self.recorded.append((rows.to_pylist(), answers.to_pylist(), version))

    def close(self) -> None:
        return


def answering(kind: str, tmp_path, log=None, **settings) -> AnsweringModel:
    task, family = ASKED[kind]
    base = write_tiny_model(family, tmp_path / "base", chat=True)
    made = tuned(base, HEADS[kind], tmp_path / "tuned", kind="lora", **settings)
    write_servable(made.method, made.base, made.folder, made.head, tmp_path / "plain")
    return AnsweringModel(ServedModel(tmp_path / "plain", made.serving(task)), "7", log)


def job(uid: str, texts: list, **options) -> Job:
    return Job(uid, {"text": texts}, len(texts), **options)


def silent(job: Job, piece: Piece) -> None:
    raise AssertionError("nothing streams")


def test_each_request_has_the_answers_of_its_own_rows(tmp_path):
    log = Log()
    model = answering("single", tmp_path, log)
    one, two, none = model.answer([job("a", TEXTS[:1]), job("b", TEXTS[1:]), job("c", [])], silent)
    right = answers(model.served, TEXTS)
    assert [row["label"] for row in [*one.answers, *two.answers]] == [row["label"] for row in right]
    assert none.answers == [] and {one.version, two.version, none.version} == {"7"}
    for found, row in zip([*one.answers, *two.answers], right, strict=True):
        assert found["probability"] == pytest.approx(row["probability"], abs=1e-6)
    for scores, found in zip([*one.scores, *two.scores], [*one.answers, *two.answers], strict=True):
        assert list(scores) == ["bad", "good"] and sum(scores.values()) == pytest.approx(1)
        assert scores[found["label"]] == max(scores.values()) == found["probability"]
    assert (one.batch.requests, one.batch.rows, two.batch) == (3, 4, None)
    ((rows, recorded, version),) = log.recorded
    assert [row["text"] for row in rows] == TEXTS and recorded == [*one.answers, *two.answers] and version == "7"


def test_threads_ask_one_model_at_once_and_are_answered_what_it_answers_alone(tmp_path):
    model = answering("single", tmp_path)
    other = model.for_another_thread()
    assert other.served.model is model.served.model and other.served.tokenizer is not model.served.tokenizer
    asked = [[job("a", TEXTS[:count]), job("b", TEXTS[count:])] for count in (1, 2, 3)] * 20
    right = [[answer.answers for answer in model.answer(jobs, silent)] for jobs in asked]
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(lambda m: [m.answer(jobs, silent) for jobs in asked], m) for m in (model, other)]
    for found in both:
        assert [[answer.answers for answer in pair] for pair in found.result()] == right


def test_a_request_that_cannot_be_read_harms_no_other(tmp_path):
    log = Log()
    model = answering("single", tmp_path, log)
    one, bad, two = model.answer([job("a", TEXTS[:1]), job("b", ["a", " "]), job("c", TEXTS[1:])], silent)
    assert isinstance(bad, Refused) and (bad.status, bad.message) == (422, "row 1 has no text")
    assert isinstance(one, Answer) and isinstance(two, Answer)
    assert len(one.answers) == 1 and len(two.answers) == 3
    assert sum(len(rows) for rows, _, _ in log.recorded) == 4


def test_pairs_and_numbers_and_several_labels(tmp_path):
    (found,) = answering("multi", tmp_path / "multi").answer([job("a", TEXTS)], silent)
    for scores, row in zip(found.scores, found.answers, strict=True):
        assert json.loads(row["probabilities"]) == {name: round(value, 6) for name, value in scores.items()}
    (found,) = answering("number", tmp_path / "number").answer([job("a", TEXTS)], silent)
    assert found.scores is None and all(isinstance(row["value"], float) for row in found.answers)
    asked = Job("a", {"text": TEXTS, "pair": ["what?"] * 4}, 4)
    (found,) = answering("answers", tmp_path / "answers").answer([asked], silent)
    assert [text[row["start"] : row["end"]] for text, row in zip(TEXTS, found.answers, strict=True)] == [
        row["answer"] for row in found.answers
    ]


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_texts_are_those_of_the_package_and_count_their_tokens(kind, tmp_path):
    model = answering(kind, tmp_path, modules_to_save=["lm_head"])
    right = [row["answer"] for row in answers(model.served, TEXTS)]
    found, short = model.answer([job("a", TEXTS), job("b", TEXTS, max_new_tokens=1)], silent)
    assert [row["answer"] for row in found.answers] == right and any(right)
    assert all(writing.tokens <= 4 and (writing.ended or writing.tokens == 4) for writing in found.writings)
    assert {writing.tokens for writing in short.writings} <= {0, 1}
    more, *_ = model.answer([job("a", TEXTS, max_new_tokens=1000)], silent)
    assert more.answers == found.answers


def test_a_stream_tells_the_words_of_the_same_text_as_they_come(tmp_path):
    model = answering("causal", tmp_path, modules_to_save=["lm_head"])
    told: dict[str, list[str]] = {"a": [], "b": []}

    def tell(job: Job, piece: Piece) -> None:
        told[job.uid].append(piece.text)
        assert piece.version == "7"

    streams = [job(uid, [text], stream=True) for uid, text in zip(told, TEXTS, strict=False)]
    for found, uid in zip(model.answer(streams, tell), told, strict=True):
        assert "".join(told[uid]) == found.answers[0]["answer"]


def test_pieces_end_at_words_and_before_a_stop_token(tmp_path):
    import torch

    from luthier.tasks.generation import Pieces
    from tests.tiny_models import byte_tokenizer

    tokenizer, heard = byte_tokenizer(), []
    pieces = Pieces(tokenizer, [tokenizer.eos_token_id], heard.append)
    pieces.put(torch.tensor([[1, 2, 3]]))
    text = "héllo  big wörld"
    for token in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id, *tokenizer("more")["input_ids"]]:
        pieces.put(torch.tensor([token]))
    pieces.end()
    assert "".join(heard) == text and heard == ["héllo", "  big", " wörld"]
