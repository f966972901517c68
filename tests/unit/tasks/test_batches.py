"""Every task pads its batches to a few lengths."""

import numpy as np
import pytest
import torch

from luthier.tasks import TASKS
from luthier.tasks.batches import MULTIPLE, TOKENS_OF_A_BATCH, batches_of, padded_length, without_repeats
from luthier.tasks.head import Head
from tests.tiny_models import byte_tokenizer, word_piece_tokenizer


def test_lengths_are_rounded_up():
    assert [padded_length(tokens) for tokens in (1, 8, 9, 127, 128)] == [8, 8, 16, 128, 128]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 32])
def test_batches_are_by_length_and_cost_no_more_than_full_ones(batch_size):
    random = np.random.default_rng(batch_size)
    for _ in range(50):
        lengths = random.integers(1, 120, size=random.integers(0, 60)).tolist()
        found = list(batches_of(lengths, batch_size))
        order = [row for batch in found for row in batch]
        assert sorted(order) == list(range(len(lengths)))
        assert [lengths[row] for row in order] == sorted(lengths)
        assert all(len(batch) <= batch_size for batch in found)
        full = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        assert cost(found, lengths) <= cost(full, lengths) + TOKENS_OF_A_BATCH


def cost(batches, lengths):
    """Padded tokens, and what each batch costs besides."""
    return sum(len(batch) * padded_length(lengths[batch[-1]]) + TOKENS_OF_A_BATCH for batch in batches)


def test_one_long_row_pads_no_short_ones():
    assert list(batches_of([9, 120, 8, 10, 7, 11, 12], 32)) == [[4, 2, 0, 3, 5, 6], [1]]
    assert list(batches_of([9, 17, 8], 32)) == [[2, 0, 1]]


def test_rows_that_read_alike_are_there_once_and_each_row_finds_its_own():
    inputs = {"input_ids": [[5, 6], [7], [5, 6], [7], [5, 6]], "token_type_ids": [[0, 0], [0], [0, 1], [0], [0, 0]]}
    once, which = without_repeats(inputs)
    assert once == {"input_ids": [[5, 6], [7], [5, 6]], "token_type_ids": [[0, 0], [0], [0, 1]]}
    assert which == [0, 1, 2, 1, 0]
    assert {name: [values[place] for place in which] for name, values in once.items()} == inputs
    assert without_repeats({"input_ids": []}) == ({"input_ids": []}, [])


@pytest.mark.parametrize("tokens", [1, 7, 8, 9, 30])
@pytest.mark.parametrize(
    ("task", "head", "labels"),
    [
        ("text-classification", Head("sequence-classification", ("x", "y"), "single_label_classification"), 0),
        ("token-classification", Head("token-classification", ("O", "B-x", "I-x")), None),
        ("question-answering", Head("question-answering"), [0, 0]),
        ("text-generation", Head("causal-lm"), None),
    ],
)
def test_what_is_padded_is_masked(task, head, labels, tokens):
    tokenizer = byte_tokenizer() if head.is_language_model else word_piece_tokenizer()
    feature = {"input_ids": [5] * tokens, "labels": [1] * tokens if labels is None else labels}
    feature["attention_mask"] = [1] * tokens
    batch = TASKS[task].collator(tokenizer, head, None)([feature, feature])
    assert batch["input_ids"].shape == (2, padded_length(tokens))
    assert batch["attention_mask"].sum(dim=1).tolist() == [tokens, tokens]
    assert torch.equal(batch["attention_mask"].cumsum(dim=1)[:, :tokens], torch.arange(1, tokens + 1).expand(2, tokens))


@pytest.mark.parametrize("written", [1, 8, 9])
def test_both_sides_of_a_pair_are_padded(written):
    class Start:
        decoder_start_token_id = 0

    collate = TASKS["summarization"].collator(byte_tokenizer(), Head("seq2seq-lm"), Start)
    batch = collate([{"input_ids": [5] * 3, "labels": [6] * written}])
    assert batch["input_ids"].shape == (1, MULTIPLE)
    assert batch["labels"].shape == batch["decoder_input_ids"].shape == (1, padded_length(written))
    assert batch["labels"].ne(-100).sum() == written
