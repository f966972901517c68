"""Every method on every family for every task: a step, a reload that answers the same, a merge that does; or a why."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import TypeAdapter

from luthier.methods import METHODS, Method
from luthier.methods.support import unsupported
from luthier.models.loading import load_model, load_tokenizer
from luthier.models.quantization import write_quantized_model
from luthier.tasks import TASKS
from luthier.tasks.task import Inference
from tests.tiny_models import FAMILIES, write_tiny_model

TEXTS = ["the film was good", "awful music: the plot was bad!", "great", "the actor was a bad, bad scene"]
SPANS = [[{"start": 4, "end": 8, "label": "thing"}], [{"start": 6, "end": 11, "label": "thing"}], [], []]
ANSWERS = [[{**span, "label": "answer"} for span in spans] for spans in SPANS]
ROWS = {
    "text-classification": ("single", ["x", "y"], {"label": ["x", "y", "x", "y"], "label_id": [0, 1, 0, 1]}),
    "token-classification": ("spans", ["thing"], {"label": SPANS}),
    "question-answering": ("answers", [], {"label": ANSWERS, "pair": ["what?"] * 4}),
    "text-generation": ("text", [], {"label": ["good film", "bad", "great", "actor"]}),
    "summarization": ("text", [], {"label": ["good film", "bad", "great", "actor"]}),
}
SETTINGS = {
    "qlora": {"quantization": {"compute_dtype": "float32"}},
    "prefix": {"num_virtual_tokens": 3},
    "prompt": {"num_virtual_tokens": 3},
    "ptuning": {"num_virtual_tokens": 3},
}
HOW = Inference(max_length=96, batch_size=4, max_new_tokens=3, generated_rows=1)


def rows_of(task: str) -> pa.Table:
    nothing = dict.fromkeys(("pair", "messages", "label_id"), [None] * 4)
    return pa.table({"text": TEXTS, **nothing, **ROWS[task][2]})


@pytest.fixture(scope="session")
def base_of(tmp_path_factory: pytest.TempPathFactory):
    @cache
    def make(family: str, quantized: bool) -> Path:
        folder = tmp_path_factory.mktemp(family)
        if not quantized:
            return write_tiny_model(family, folder, chat=True)
        method = method_of("qlora")
        write_quantized_model(make(family, False), method.base_quantization, folder)
        return folder

    return make


def method_of(kind: str):
    return TypeAdapter(Method).validate_python({"kind": kind, **SETTINGS.get(kind, {})})


def evidence(task, model, tokenizer, rows, head) -> np.ndarray:
    return np.concatenate([found.ravel() for found in task.predict(model, tokenizer, rows, head, HOW).evidence])


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", METHODS)
def test_a_method_works_on_a_family_for_a_task_or_the_table_says_why_not(kind, family, name, base_of, tmp_path):
    task, rows = TASKS[name], rows_of(name)
    head = task.head(ROWS[name][1], ROWS[name][0], encoder_decoder=family in ("t5", "bart"))
    if unsupported(kind, family, head.kind):
        pytest.skip(unsupported(kind, family, head.kind).reason)
    method, base = method_of(kind), base_of(family, kind == "qlora")
    tokenizer, options = load_tokenizer(base), {"dtype": torch.float32, "attention": "eager"}
    model = method.attach(load_model(base, head, seed=3, **options), head)
    encoded = task.encode(rows, tokenizer, head, max_length=96)
    names = list(encoded.columns)
    features = [dict(zip(names, values, strict=True)) for values in zip(*encoded.columns.values(), strict=True)]
    batch = dict(task.collator(tokenizer, head, model.config)(features))
    labels = batch.pop("labels")
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    outputs = model.train()(**batch)
    logits = (outputs.start_logits, outputs.end_logits) if head.kind == "question-answering" else outputs.logits
    loss = task.loss(logits, labels, labels.ne(-100).sum())
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    assert any(not torch.equal(p, trained[name]) for name, p in model.named_parameters() if name in trained)

    method.save(model, tmp_path)
    expected = evidence(task, model.eval(), tokenizer, rows, head)
    again = method.load(base, tmp_path, head, **options)
    assert np.array_equal(expected, evidence(task, again.eval(), tokenizer, rows, head))
    if method.merges:
        plain = method.merge(method.load(base, tmp_path, head, **options, dequantized=True))
        np.testing.assert_allclose(evidence(task, plain.eval(), tokenizer, rows, head), expected, atol=1e-4, rtol=1e-4)
    untuned = evidence(task, load_model(base, head, seed=3, **options).eval(), tokenizer, rows, head)
    assert not np.allclose(untuned, expected, atol=1e-7), "the step would not be seen"
