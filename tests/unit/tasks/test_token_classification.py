import math
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from luthier.errors import ModelError
from luthier.evaluation.scores import point
from luthier.models.loading import load_model, load_tokenizer
from luthier.tasks import TASKS
from luthier.tasks.task import BaselineInputs, Inference
from luthier.tasks.windows import windows
from luthier.tasks.word_tags import entities, tagged_words, tags_of, words
from luthier.training.finetuning import build_trainer, finetune, trainable_model
from tests.tiny_models import byte_tokenizer, word_piece_tokenizer, write_tiny_model
from tests.unit.tasks.conftest import table

TASK = TASKS["token-classification"]
HEAD = TASK.head(("per", "loc"), "spans", encoder_decoder=False)
TOKENIZERS = {
    "word pieces": word_piece_tokenizer,
    "bytes": byte_tokenizer,
    "bytes in marks": lambda: byte_tokenizer("<s> $A </s>"),
}
ANN = "Ann Lee met Bob."
IN_ANN = [(0, 7, "per"), (12, 15, "per")]
PLAIN, FIRST, SECOND = ("story", "scene", "plot", "music"), ("good", "great"), ("film", "actor")


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request):
    return TOKENIZERS[request.param]()


def reviews(rows: int, *, seed: int) -> pa.Table:
    """A praise and the word after it are one span; a film or an actor alone is none."""
    generator = random.Random(seed)
    texts, labels = [], []
    for _ in range(rows):
        text, spans = "", []
        for _ in range(5):
            if praised := generator.random() < 0.4:
                spans.append((len(text), None, "per"))
                text += f"{generator.choice(FIRST)} {generator.choice(SECOND)}"
            else:
                text += generator.choice(PLAIN + SECOND)
            if praised:
                spans[-1] = (spans[-1][0], len(text), "per")
            text += " "
        texts.append(text.strip())
        labels.append(spans)
    return table(texts, labels)


def test_the_head_has_two_tags_for_each_label_and_one_for_none():
    assert HEAD.labels == ("O", "B-per", "I-per", "B-loc", "I-loc")
    assert HEAD.peft_task_type == "TOKEN_CLS"


def test_marks_and_characters_of_unspaced_scripts_are_words_of_their_own():
    text = "Ann's C3PO, 東京 é"
    assert [text[start:end] for start, end in words(text)] == ["Ann", "'", "s", "C3PO", ",", "東", "京", "é"]


def test_spans_are_their_tags_and_tags_their_spans():
    places = words(ANN)
    tags = tags_of(places, [{"start": start, "end": end, "label": label} for start, end, label in IN_ANN])
    assert tags == ["B-per", "I-per", "O", "B-per", "O"]
    assert entities(places, tags) == IN_ANN


def test_an_i_that_continues_nothing_begins_a_span_and_neighbours_stay_apart():
    places = words(ANN)
    assert entities(places, ["I-per", "I-loc", "I-loc", "B-loc", "O"]) == [
        (0, 3, "per"),
        (4, 11, "loc"),
        (12, 15, "loc"),
    ]


def test_the_first_token_of_each_word_has_its_tag_and_no_other_token_any(tokenizer):
    encoded = TASK.encode(table([ANN], [IN_ANN]), tokenizer, HEAD, max_length=64)
    (labels,), (ids,) = encoded.columns["labels"], encoded.columns["input_ids"]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    tagged = [(token[0].lower(), HEAD.labels[tag]) for token, tag in zip(tokens, labels, strict=True) if tag >= 0]
    assert tagged == [("a", "B-per"), ("l", "I-per"), ("m", "O"), ("b", "B-per"), (".", "O")]
    assert encoded.counts == {"windows": 1, "misaligned": 0, "unlearnable": 0}


def test_a_byte_tokenizer_that_gives_the_space_to_the_word_has_the_same_words():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["Ann", "ĠLee", "Ġmet", "ĠBob", "."]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges, vocabulary = [], [*alphabet]
    for piece in pieces:
        for end in range(2, len(piece) + 1):
            merges.append((piece[: end - 1], piece[end - 1]))
            vocabulary.append(piece[:end])
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(vocabulary))}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=list(dict.fromkeys(merges))))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    spaced = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert spaced(ANN, return_offsets_mapping=True)["offset_mapping"][1] == (3, 7)
    encoded = TASK.encode(table([ANN], [IN_ANN]), spaced, HEAD, max_length=64)
    assert [HEAD.labels[label] for label in encoded.columns["labels"][0]] == ["B-per", "I-per", "O", "B-per", "O"]


def test_a_span_with_an_edge_inside_a_word_is_counted_and_has_the_whole_word(tokenizer):
    encoded = TASK.encode(table([ANN], [[(1, 3, "per"), (12, 15, "loc")]]), tokenizer, HEAD, max_length=64)
    assert encoded.counts["misaligned"] == 1
    first, *_ = (HEAD.labels[label] for label in encoded.columns["labels"][0] if label >= 0)
    assert first == "B-per"


def test_a_row_without_a_word_is_unlearnable_and_left_out(tokenizer):
    encoded = TASK.encode(table([" \n", ANN], [[], IN_ANN]), tokenizer, HEAD, max_length=64)
    assert encoded.counts["unlearnable"] == 1
    assert encoded.columns["row"] == [1]


def test_a_long_text_has_each_word_tagged_once_where_most_is_around_it(tokenizer):
    texts = ["the film was good " * 20, ANN, "a " * 50]
    given = windows(tokenizer, texts, max_length=24, overlap=6)
    tagged = tagged_words(given, texts)
    for row, text in enumerate(texts):
        found = [word for window, chosen in enumerate(tagged) if given.rows[window] == row for word in chosen]
        assert [(word.start, word.end) for word in found] == words(text)
    for window, chosen in enumerate(tagged):
        inner = 0 < window < given.rows.count(0) - 1
        last = given.firsts[window] + len(given.offsets[window]) - 1
        assert all(3 <= word.token <= last - 2 for word in chosen) or not inner


def test_a_span_across_two_windows_is_one_in_labels_and_answers():
    tokenizer = word_piece_tokenizer()
    text, spans = "the film was good " * 10, [(0, 179, "loc")]
    encoded = TASK.encode(table([text], [spans]), tokenizer, HEAD, max_length=16)
    labels = [label for window in encoded.columns["labels"] for label in window if label >= 0]
    assert len(encoded.columns["row"]) > 2
    assert labels == [HEAD.labels.index("B-loc")] + [HEAD.labels.index("I-loc")] * 39


def test_a_tokenizer_without_places_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="where its tokens stand"):
        TASK.encode(table([ANN], [IN_ANN]), Slow(), HEAD, max_length=16)


def test_the_collator_pads_labels_with_what_the_loss_leaves_out(tokenizer):
    encoded = TASK.encode(table([ANN, "Bob"], [IN_ANN, []]), tokenizer, HEAD, max_length=64)
    features = [{name: values[row] for name, values in encoded.columns.items()} for row in range(2)]
    batch = TASK.collator(tokenizer, HEAD, None)(features)
    assert batch["labels"].shape == batch["input_ids"].shape
    assert (batch["labels"] >= 0).sum(dim=1).tolist() == [5, 1]
    assert batch.keys() <= {*tokenizer.model_input_names, "labels"}


def test_the_loss_is_torchs_own_of_the_tagged_tokens():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 7, 5), torch.randint(5, (3, 7))
    labels[0, :4] = labels[1:, 5:] = -100
    given = labels[labels >= 0]
    torchs = torch.nn.functional.cross_entropy(logits[labels >= 0], given, label_smoothing=0.1)
    assert TASK.loss(logits, labels, len(given), label_smoothing=0.1) == pytest.approx(float(torchs))
    weights = (0.5, 1.0, 2.0, 1.0, 0.5)
    rows = torch.nn.functional.cross_entropy(logits[labels >= 0], given, reduction="none")
    wanted = float((rows * torch.tensor(weights)[given]).sum() / 100)
    assert TASK.loss(logits, labels, 100, class_weights=weights) == pytest.approx(wanted)


def test_validation_scores_are_those_of_seqeval_and_of_the_answers():
    from datasets import Dataset

    generator = np.random.default_rng(1)
    labels = generator.integers(0, 5, (40, 9))
    kept = np.where(generator.random(labels.shape) < 0.8, labels, generator.integers(0, 5, labels.shape))
    labels[generator.random(labels.shape) < 0.3] = -100
    features = Dataset.from_dict({"row": list(range(40)), "window": list(range(40))})
    found = TASK.validation_metrics(kept, labels, features, HEAD)
    gold, predicted = (
        [strict([HEAD.labels[tag] for tag in ids[row][labels[row] >= 0]]) for row in range(40)]
        for ids in (labels, kept)
    )
    assert found["seqeval_f1"] == pytest.approx(f1_score(gold, predicted, mode="strict", scheme=IOB2))


def strict(tags: list[str]) -> list[str]:
    """The same spans without an I that begins one."""
    found = entities([(word, word + 1) for word in range(len(tags))], tags)
    spans = [{"start": start, "end": end, "label": label} for start, end, label in found]
    return tags_of([(word, word + 1) for word in range(len(tags))], spans)


def test_validation_puts_windows_of_a_text_together_in_reading_order():
    from datasets import Dataset

    b, i = HEAD.labels.index("B-loc"), HEAD.labels.index("I-loc")
    features = Dataset.from_dict({"row": [0, 1, 0], "window": [1, 2, 0]})
    labels = np.array([[i, i, -100], [b, 0, 0], [-100, 0, b]])
    assert TASK.validation_metrics(labels, labels, features, HEAD)["seqeval_f1"] == 1
    kept = np.array([[b, i, 0], [b, 0, 0], [0, 0, b]])
    found = TASK.validation_metrics(kept, labels, features, HEAD)
    assert found == {"seqeval_f1": 0.4, "seqeval_precision": 1 / 3, "seqeval_recall": 0.5}


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_word_of_a_long_text_has_the_probabilities_of_its_window(tmp_path, family):
    base = write_tiny_model(family, tmp_path)
    model = load_model(base, HEAD, dtype=torch.float32, attention="eager")
    tokenizer = load_tokenizer(base)
    rows = table([ANN, "the film was good " * 12], [IN_ANN, []])
    long, short = (TASK.predict(model, tokenizer, rows, HEAD, Inference(n, batch_size=2)) for n in (120, 24))
    assert [row.shape for row in short.evidence] == [(5, 5), (48, 5)]
    assert all(np.allclose(row.sum(axis=1), 1) and row.dtype == np.float32 for row in short.evidence)
    assert np.allclose(long.evidence[0], short.evidence[0], atol=1e-6)
    assert long.answers[0] == short.answers[0]
    found = [(text.as_py(), span) for text, spans in zip(rows["text"], short.answers, strict=True) for span in spans]
    assert found and all(span["text"] == text[span["start"] : span["end"]] for text, span in found)


def test_the_baseline_gives_each_word_its_usual_tag(tmp_path):
    train = table(["Ann met Bob", "Ann met Ann", "met"], [[(0, 3, "per")], [(0, 3, "per")], [(0, 3, "loc")]])
    test = table(["Bob met Ann, Eve"], [[(8, 11, "per"), (13, 16, "per")]])
    base = write_tiny_model("bert", tmp_path)
    found = TASK.baselines(BaselineInputs(train, test, HEAD, base, Inference(16)))["majority per word"]
    assert found.answers == [[{"start": 8, "end": 11, "label": "per", "text": "Ann"}]]
    assert point("seqeval_recall", *TASK.compared("seqeval_recall", test, found, HEAD)) == 0.5


def test_a_tiny_model_learns_tags_that_depend_on_the_word_before(fine_tuning, tmp_path):
    base = write_tiny_model("bert", tmp_path / "base")
    head = TASK.head(("per",), "spans", encoder_decoder=False)
    settings = {"epochs": 8, "batch_size": 16, "learning_rate": 3e-3, "early_stopping": {"patience": 20}}
    job = fine_tuning(TASK, head, "seqeval_f1", base, reviews(500, seed=1), reviews(60, seed=2), **settings)
    output = tmp_path / "output"
    output.mkdir()
    facts = finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda values, step: None)
    assert facts.best_score == facts.rescored > 0.9
    model = job.method.load(base, output, head, dtype=torch.float32, attention="eager")
    test = reviews(40, seed=3)
    found = TASK.predict(model, load_tokenizer(base), test, head, Inference(10))
    assert point("seqeval_f1", *TASK.compared("seqeval_f1", test, found, head)) > 0.9


@pytest.mark.parametrize("shape", [(2, 4), (3, 3)])
def test_accumulated_gradients_equal_those_of_the_large_batch(fine_tuning, tmp_path: Path, shape):
    base = write_tiny_model("bert", tmp_path / "base")
    rows = reviews(60, seed=1)

    def first_step(batch_size: int, accumulation: int) -> dict:
        settings = {"epochs": 1, "batch_size": batch_size, "gradient_accumulation": accumulation}
        job = fine_tuning(TASK, HEAD, "seqeval_f1", base, rows, rows, group_by_length=False, **settings)
        trainer = build_trainer(job, trainable_model(job), tmp_path / f"{batch_size}x{accumulation}", extra=[])
        trainer.train()
        return trainer.state.log_history[0]

    large, small = first_step(math.prod(shape), 1), first_step(*shape)
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-4)
    assert small["grad_norm"] == pytest.approx(large["grad_norm"], rel=1e-3)
