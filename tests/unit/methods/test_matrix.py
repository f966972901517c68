"""Every method on every family with every head: what the table does not refuse works, what it refuses does not."""

from collections.abc import Iterator

import pytest
import torch
from pydantic import TypeAdapter

from luthier.methods import METHODS, Method
from luthier.methods.method import BaseMethod
from luthier.methods.shape import shape_of
from luthier.methods.support import UNSUPPORTED, unsupported
from luthier.models.loading import head_names
from tests.tiny_models import FAMILIES
from tests.unit.methods.models import HEADS, answers, base, logits, step, tiny_model, trainable

OF_METHODS = [row for row in UNSUPPORTED if row.methods]


def method_of(kind: str, **settings) -> BaseMethod:
    return TypeAdapter(Method).validate_python({"kind": kind, **settings})


def heads_of(family: str) -> list[str]:
    return [head for head in HEADS if unsupported("full", family, head) is None]


def cells(family: str) -> Iterator[tuple[str, str]]:
    """QLoRA is LoRA but for the base."""
    yield from ((method, head) for method in METHODS if method != "qlora" for head in heads_of(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_trains_the_expected_number_and_what_is_saved_answers_alike_and_so_does_what_is_merged(family, tmp_path):
    for kind, head_kind in cells(family):
        if unsupported(kind, family, head_kind) is None:
            folder = tmp_path / kind / head_kind
            folder.mkdir(parents=True)
            _try(method_of(kind), family, head_kind, folder)


def _try(method: BaseMethod, family: str, head_kind: str, folder) -> None:
    head, cell = HEADS[head_kind], (method.kind, family, head_kind)
    model = tiny_model(family, head)
    heads = head_names(model)
    expected = method.trainable_parameters(shape_of(model, without=heads))
    model = method.attach(model, head)
    own = [p for name, p in trainable(model).items() if not _of_head(name, heads)]
    assert sum(p.numel() for p in own) == expected, cell
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
    step(model, head, learning_rate=0.01)
    assert all(p.grad is not None for p in trainable(model).values()), cell
    parameters = dict(model.named_parameters())
    assert all(torch.equal(parameters[name], value) for name, value in frozen.items()), cell
    assert logits(model, head).shape == logits(tiny_model(family, head), head).shape, cell
    method.save(model, folder)
    loaded = method.load(base(family), folder, head, dtype=torch.float32, attention="eager")
    torch.testing.assert_close(logits(loaded, head), logits(model, head), rtol=0, atol=0, msg=str(cell))
    if method.merges:
        merged = method.merge(loaded)
        torch.testing.assert_close(logits(merged, head), logits(model, head), rtol=1e-5, atol=1e-5, msg=str(cell))
        assert merged.state_dict().keys() == tiny_model(family, head).state_dict().keys(), cell


def _of_head(name: str, heads: list[str]) -> bool:
    return ".modules_to_save." in name or any(name.startswith(f"{head}.") for head in heads)


@pytest.mark.parametrize(("family", "head"), [("bart", "token-classification"), ("llama", "question-answering")])
def test_heads_that_transformers_lacks_cannot_be_loaded(family, head):
    with pytest.raises(ValueError):
        tiny_model(family, HEADS[head])


# What PEFT, transformers and Luthier say; any other error is a mistake of this test's, or news.
REFUSALS = (
    "the model has no bias to train",
    "does not support past key values",
    "no `decoder_input_ids` or `decoder_inputs_embeds` are passed",
    "Passing input embeddings is currently not supported",
    "'Seq2SeqModelOutput' object has no attribute 'hidden_states'",
    "has no attribute 'cls_layer_name'",
    "You must specify exactly one of input_ids or inputs_embeds",
)


@pytest.mark.parametrize("row", OF_METHODS, ids=lambda row: row.reason)
def test_what_the_table_refuses_does_not_work_with_these_versions(row):
    """Where it fails, upstream has learned it: take the row out."""
    for family in row.families:
        for method in row.methods:
            for head in set(row.heads) & set(heads_of(family)):
                assert not _learns(method_of(method), family, head), (method, family, head)


def _learns(method: BaseMethod, family: str, head_kind: str) -> bool:
    head = HEADS[head_kind]
    try:
        model = method.attach(tiny_model(family, head), head).train()
        answers(model, head).sum().backward()
    except (AttributeError, NotImplementedError, ValueError) as error:
        assert any(said in str(error) for said in REFUSALS), (method.kind, family, head_kind)
        return False
    return all(p.grad is not None for p in trainable(model).values())


def test_what_is_named_instead_is_supported_everywhere_the_row_applies():
    for row in OF_METHODS:
        for family in row.families:
            for head in set(row.heads) & set(heads_of(family)):
                assert all(unsupported(method, family, head) is None for method in row.instead)
