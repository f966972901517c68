import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from luthier.models.loading import load_model
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.packing import PACKABLE_FAMILIES, bins
from tests.unit.tasks.conftest import table
from tests.unit.tasks.word_models import CHAT_TEMPLATE, word_tokenizer, write_word_model

TASK, HEAD = TASKS["text-generation"], Head("causal-lm")
WORDS = ("red", "blue", "green", "gold")
ROWS = table(["red", "blue gold", "gold green red", "red red", "green"], ["blue", "red green", "gold", "blue", "gold"])


@given(st.lists(st.integers(1, 20), max_size=40))
def test_every_item_is_in_one_bin_and_no_two_bins_could_be_one(lengths):
    found = bins(lengths, 20)
    assert sorted(item for one in found for item in one) == list(range(len(lengths)))
    filled = sorted(sum(lengths[item] for item in one) for one in found)
    assert all(size <= 20 for size in filled)
    assert len(filled) < 2 or filled[0] + filled[1] > 20


def features_of(tokenizer) -> Dataset:
    return Dataset.from_dict(TASK.encode(ROWS, tokenizer, HEAD, max_length=64).columns)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", PACKABLE_FAMILIES)
def test_packed_conversations_have_the_loss_and_the_gradients_that_they_have_apart(family, attention, tmp_path):
    tokenizer = word_tokenizer(WORDS, template=CHAT_TEMPLATE)
    write_word_model(family, tmp_path, tokenizer)
    apart = features_of(tokenizer)
    shared = TASK.packed(apart, 24)
    assert len(shared) < len(apart)
    assert shared["length"][:] == [len(ids) for ids in shared["input_ids"]]
    assert max(shared["length"]) <= 24

    def gradients(features: Dataset) -> tuple[float, torch.Tensor]:
        model = load_model(tmp_path, HEAD, dtype=torch.float32, attention=attention)
        batch = TASK.collator(tokenizer, HEAD, model.config)(features.to_list())
        labels = batch.pop("labels")
        loss = TASK.loss(model(**batch).logits, labels, 1)
        loss.backward()
        return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])

    (expected, wanted), (found, given) = gradients(apart), gradients(shared)
    assert found == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(given, wanted, atol=1e-5, rtol=1e-4)
