import math
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from luthier.errors import ModelError
from luthier.evaluation.scores import point
from luthier.models.loading import load_model, load_tokenizer
from luthier.tasks import TASKS
from luthier.tasks.answer_search import MOST_TOKENS, Passage, candidates, decided
from luthier.tasks.task import BaselineInputs, Inference
from luthier.training.finetuning import build_trainer, finetune, trainable_model
from tests.tiny_models import byte_tokenizer, word_piece_tokenizer, write_tiny_model
from tests.unit.tasks.conftest import table

TASK = TASKS["question-answering"]
HEAD = TASK.head((), "answers", encoder_decoder=False)
TOKENIZERS = {
    "word pieces": word_piece_tokenizer,
    "bytes": byte_tokenizer,
    "bytes in marks": lambda: byte_tokenizer("<s> $A </s>"),
}
TEXT = "Ann Lee met Bob. Bob met a bad actor."
WORDS = ("good", "great", "bad", "film", "story", "scene", "actor", "plot")


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def row(text: str, *answers: str, question: str = "who?") -> pa.Table:
    spans = [(text.index(answer), text.index(answer) + len(answer), "answer") for answer in answers]
    return table([text], [spans], [question])


def learned(encoded, text: str) -> list[str]:
    """The text that the labels of each feature mean."""
    found = []
    for first, (start, end), offsets, shown in zip(
        *(encoded.columns[name] for name in ("first", "labels", "offsets", "text")), strict=True
    ):
        assert shown in text
        span = offsets[start - first : end - first + 1] if end else []
        found.append(shown[span[0][0] : span[-1][1]] if span else "")
    return found


def marked(rows: int, *, seed: int) -> pa.Table:
    """The answer is the word after "music"; one text in five has no music."""
    generator = random.Random(seed)
    texts, answers = [], []
    for _ in range(rows):
        words = generator.choices(WORDS, k=12)
        answer = []
        if generator.random() < 0.8:
            place = generator.randrange(11)
            words[place] = "music"
            start = len(" ".join(words[: place + 1])) + 1
            answer = [(start, start + len(words[place + 1]), "answer")]
        texts.append(" ".join(words))
        answers.append(answer)
    return table(texts, answers, ["the music was"] * rows)


def test_the_labels_of_a_short_text_are_the_tokens_of_its_first_answer(tokenizer):
    encoded = TASK.encode(row(TEXT, "met Bob", "Ann"), tokenizer, HEAD, max_length=96)
    assert learned(encoded, TEXT) == ["met Bob"]
    assert encoded.columns["answers"] == [["met Bob", "Ann"]]
    assert encoded.counts == {"windows": 1, "cut_questions": 0, "truncated_answers": 0, "unlearnable": 0}


def test_an_unanswerable_question_is_the_first_token_in_every_window(tokenizer):
    encoded = TASK.encode(row(TEXT * 4), tokenizer, HEAD, max_length=48)
    assert len(encoded.columns["labels"]) > 1
    assert all(labels == [0, 0] for labels in encoded.columns["labels"])
    assert encoded.counts["truncated_answers"] == encoded.counts["unlearnable"] == 0


def test_windows_cover_every_answer_wherever_it_stands(tokenizer):
    text = "the film was good " * 25
    places = range(0, len(text) - 5, 3)
    rows = table([text] * len(places), [[(at, at + 5, "answer")] for at in places], ["who?"] * len(places))
    encoded = TASK.encode(rows, tokenizer, HEAD, max_length=48)
    found = list(zip(encoded.columns["row"], learned(encoded, text), strict=True))
    for row, at in enumerate(places):
        assert any(text[at : at + 5].strip() in answer for where, answer in found if where == row)
    assert encoded.counts["truncated_answers"] == 0
    assert all(len(ids) <= 48 for ids in encoded.columns["input_ids"])


def test_an_answer_that_no_window_has_whole_is_counted_and_learned_in_part(tokenizer):
    text = "the film was good " * 25
    encoded = TASK.encode(row(text, text.strip()), tokenizer, HEAD, max_length=32)
    assert encoded.counts["truncated_answers"] == 1
    assert encoded.counts["unlearnable"] == 0
    parts = [answer for answer in learned(encoded, text) if answer]
    assert parts and all(part in text for part in parts)
    assert encoded.columns["answers"][0] == [text.strip()]


def test_an_answer_without_a_token_is_unlearnable_and_left_out():
    rows = table(["a  film", TEXT], [[(1, 3, "answer")], []], ["who?"] * 2)
    encoded = TASK.encode(rows, word_piece_tokenizer(), HEAD, max_length=32)
    assert encoded.counts["unlearnable"] == 1
    assert encoded.columns["row"] == [1]
    assert TASK.encode(rows[:1], word_piece_tokenizer(), HEAD, max_length=32).columns["input_ids"] == []


def test_a_long_question_is_cut_and_counted_and_the_text_is_read_all_the_same(tokenizer):
    given = row(TEXT, "bad", question="é the film was good " * 30)
    encoded = TASK.encode(given, tokenizer, HEAD, max_length=30)
    assert encoded.counts["cut_questions"] == 1
    assert "bad" in learned(encoded, TEXT)
    assert all(len(ids) <= 30 for ids in encoded.columns["input_ids"])


def test_a_window_too_short_for_anything_is_refused_with_a_length_that_works(tokenizer):
    with pytest.raises(ModelError, match="too short for a question") as error:
        TASK.encode(row(TEXT, "Ann"), tokenizer, HEAD, max_length=6)
    enough = int(error.value.remedy.split()[0])
    assert "Ann" in learned(TASK.encode(row(TEXT, "Ann"), tokenizer, HEAD, max_length=enough), TEXT)


def test_the_loss_is_the_mean_of_start_and_end_over_tokens_that_are_no_padding():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 9)
    labels = torch.tensor([[1, 2, 9], [0, 0, 4], [3, 3, 5]])
    cross_entropy = torch.nn.functional.cross_entropy
    wanted = sum(
        float(cross_entropy(side[i, : labels[i, 2]], labels[i, place], label_smoothing=0.1))
        for place, side in enumerate(logits)
        for i in range(3)
    )
    found = TASK.loss(tuple(logits), labels, labels.numel(), label_smoothing=0.1)
    assert found == pytest.approx(wanted / 6)


def test_padding_changes_neither_the_loss_nor_its_gradient():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, 2, 5], [0, 0, 4], [3, 3, 5]])
    padded = torch.cat([logits, torch.randn(2, 3, 4)], dim=2).requires_grad_()
    loss = TASK.loss(tuple(padded), labels, 9, label_smoothing=0.2)
    assert loss.item() == pytest.approx(float(TASK.loss(tuple(logits), labels, 9, label_smoothing=0.2)))
    (gradient,) = torch.autograd.grad(loss, padded)
    assert gradient[:, :, 5:].abs().sum() == 0
    assert gradient.isfinite().all()


def logits_of(length: int, **scores: float) -> np.ndarray:
    found = np.zeros((1, length))
    for place, score in scores.items():
        found[0, int(place[1:])] = score
    return found


def test_the_best_answer_is_inside_the_text_and_ends_after_it_starts():
    passage = Passage("a b c", 2, [(0, 1), (2, 3), (4, 5)])
    starts, ends = logits_of(6, _1=9, _4=3, _3=2), logits_of(6, _5=9, _3=5, _4=1)
    (found,) = candidates(starts, ends, [passage])
    assert (found.text, found.place, found.start, found.end, found.null) == ("b", (2, 3), 2, 5, 0)


def test_the_search_finds_what_trying_every_span_finds():
    generator = np.random.default_rng(0)
    starts, ends = generator.normal(size=(2, 20, 12))
    passages = [Passage("abcdefghi", 3, [(i, i + 1) for i in range(9)])] * 20
    for window, found in enumerate(candidates(starts, ends, passages)):
        spans = {(i, j): starts[window, i] + ends[window, j] for i in range(3, 12) for j in range(i, 12)}
        first, last = max(spans, key=spans.__getitem__)
        assert found.text == "abcdefghi"[first - 3 : last - 2]
        assert found.score == pytest.approx(spans[first, last], rel=1e-5)


def test_no_answer_is_longer_than_the_longest():
    tokens = 3 * MOST_TOKENS
    passage = Passage("a" * (tokens - 1), 1, [(i, i + 1) for i in range(tokens - 1)])
    (found,) = candidates(logits_of(tokens, _1=5), logits_of(tokens, **{f"_{tokens - 1}": 5}), [passage])
    assert len(found.text) <= MOST_TOKENS


def test_the_surest_window_answers_and_no_answer_must_be_preferred_by_all():
    passage = Passage("a b", 1, [(0, 1), (2, 3)])
    sure = candidates(logits_of(3, _0=3, _1=4), logits_of(3, _0=3, _2=4), [passage])
    unsure = candidates(logits_of(3, _0=9, _2=1), logits_of(3, _0=9, _2=1), [passage])
    assert decided(unsure).text == ""
    assert decided(sure + unsure).text == "a b"
    e = math.exp
    start = e(4) / (e(3) + e(4) + e(0) + e(9) + e(0) + e(1))
    assert decided(sure + unsure).evidence == pytest.approx([start, start, 8, 6, 0, 3], rel=1e-5)
    assert decided(unsure).evidence[4:].tolist() == [0, 0]


def test_the_place_of_an_answer_is_without_white_space_and_the_first_of_places_that_tie():
    again = Passage("so  so ", 1, [(3, 7)]), Passage("so  so ", 1, [(0, 2)])
    later, first = (candidates(logits_of(2, _1=4), logits_of(2, _1=4), [passage]) for passage in again)
    assert [found.place for found in later + first] == [(4, 6), (0, 2)]
    assert decided(later + first).evidence[4:].tolist() == decided(first + later).evidence[4:].tolist() == [0, 2]


def test_a_long_text_has_the_answer_at_its_place(tmp_path):
    base = write_tiny_model("bert", tmp_path)
    model = load_model(base, HEAD, dtype=torch.float32, attention="eager")
    rows = pa.concat_tables([marked(20, seed=5), row("the story was a bad scene " * 9)])
    found = TASK.predict(model, load_tokenizer(base), rows, HEAD, Inference(24))
    places = [evidence[4:].astype(int) for evidence in found.evidence]
    texts = rows["text"].to_pylist()
    assert [text[start:end] for text, (start, end) in zip(texts, places, strict=True)] == found.answers
    assert any(found.answers)


def test_a_window_without_text_has_no_answer():
    (found,) = candidates(np.ones((1, 4)), np.ones((1, 4)), [Passage("", 0, [])])
    assert decided([found]).text == ""
    assert np.isfinite(decided([found]).evidence).all()


def test_windows_of_a_thousand_texts_are_searched_in_seconds():
    generator = np.random.default_rng(0)
    starts, ends = generator.normal(size=(2, 3000, 256)).astype(np.float32)
    passages = [Passage("a" * 250, 4, [(i, i + 1) for i in range(250)])] * 3000
    assert len(candidates(starts, ends, passages)) == 3000


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_prediction_and_validation_give_the_same_answers(fine_tuning, tmp_path, family):
    base = write_tiny_model(family, tmp_path / "base")
    rows = marked(30, seed=3)
    job = fine_tuning(TASK, HEAD, "squad_f1", base, rows, rows, max_length=40, epochs=1)
    trainer = build_trainer(job, trainable_model(job), tmp_path / "work", extra=[])
    scores = trainer.evaluate()
    found = TASK.predict(trainer.model, load_tokenizer(base), rows, HEAD, Inference(40, batch_size=7))
    for metric in ("squad_f1", "exact_match"):
        assert scores[f"eval_{metric}"] == pytest.approx(point(metric, *TASK.compared(metric, rows, found, HEAD)))
    assert all(row.dtype == np.float32 and row.shape == (6,) and (row[:2] >= 0).all() for row in found.evidence)


def test_the_answer_to_a_row_does_not_depend_on_the_rows_beside_it(tmp_path):
    base = write_tiny_model("bert", tmp_path)
    model = load_model(base, HEAD, dtype=torch.float32, attention="eager")
    rows, tokenizer, how = marked(20, seed=4), load_tokenizer(base), Inference(24, batch_size=8)
    together = TASK.predict(model, tokenizer, rows, HEAD, how)
    alone = [TASK.predict(model, tokenizer, rows.slice(place, 1), HEAD, how) for place in range(20)]
    assert together.answers == [one.answers[0] for one in alone]
    assert np.allclose(np.stack(together.evidence), np.stack([one.evidence[0] for one in alone]), atol=1e-5)


def test_what_is_compared_are_texts_and_an_empty_one_is_no_answer(tmp_path):
    rows = pa.concat_tables([row(TEXT, "met Bob", "Bob"), row(TEXT)])
    base = write_tiny_model("bert", tmp_path)
    baselines = TASK.baselines(BaselineInputs(rows, rows, HEAD, base, Inference(16)))
    gold, _ = TASK.compared("exact_match", rows, baselines["first sentence"], HEAD)
    assert gold == [["met Bob", "Bob"], []]
    assert point("exact_match", gold, ["bob", ""]) == 1


def test_baselines_are_sentences_the_first_and_those_nearest_to_the_question(tmp_path):
    text = "Axis : int, e.g. 1\nThe axis to sum over. It is long. The out array: it is longer.\n\n"
    rows = row(text, "axis", question="What is out?")
    base = write_tiny_model("bert", tmp_path)
    found = TASK.baselines(BaselineInputs(rows, rows, HEAD, base, Inference(16)))
    assert found["first sentence"].answers == ["Axis : int, e.g."]
    assert found["word overlap"].answers == found["tf-idf"].answers == ["The out array: it is longer."]
    assert found["untuned base"].answers[0] in text


def test_a_tiny_model_learns_to_answer_and_when_not_to(fine_tuning, tmp_path):
    base = write_tiny_model("bert", tmp_path / "base")
    settings = {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3, "early_stopping": {"patience": 20}}
    rows = marked(1200, seed=1), marked(100, seed=2)
    job = fine_tuning(TASK, HEAD, "squad_f1", base, *rows, **settings)
    output = tmp_path / "output"
    output.mkdir()
    facts = finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda values, step: None)
    assert facts.best_score == facts.rescored > 0.9
    model = job.method.load(base, output, HEAD, dtype=torch.float32, attention="eager")
    test = marked(60, seed=3)
    found = TASK.predict(model, load_tokenizer(base), test, HEAD, Inference(20))
    assert point("exact_match", *TASK.compared("exact_match", test, found, HEAD)) > 0.9


@pytest.mark.parametrize("shape", [(2, 4), (3, 3)])
def test_accumulated_gradients_equal_those_of_the_large_batch(fine_tuning, tmp_path: Path, shape):
    base = write_tiny_model("bert", tmp_path / "base")
    rows = marked(60, seed=1)

    def first_step(batch_size: int, accumulation: int) -> dict:
        settings = {"epochs": 1, "batch_size": batch_size, "gradient_accumulation": accumulation, "max_length": 20}
        job = fine_tuning(TASK, HEAD, "squad_f1", base, rows, rows, group_by_length=False, **settings)
        trainer = build_trainer(job, trainable_model(job), tmp_path / f"{batch_size}x{accumulation}", extra=[])
        trainer.train()
        return trainer.state.log_history[0]

    large, small = first_step(math.prod(shape), 1), first_step(*shape)
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-4)
    assert small["grad_norm"] == pytest.approx(large["grad_norm"], rel=1e-3)
