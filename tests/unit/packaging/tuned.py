"""Tuned models of every kind without a training: what a method trains is drawn at random."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from pydantic import TypeAdapter

from luthier.methods import Method
from luthier.models.loading import load_model
from luthier.packaging.serving import Serving
from luthier.tasks.head import Head

TEXTS = ["the film was good", "awful music: the plot was bad!", "great", "the actor was a bad, bad scene"]
SINGLE = Head("sequence-classification", ("bad", "good"), "single_label_classification")
HEADS = {
    "single": SINGLE,
    "multi": Head("sequence-classification", ("drama", "fun", "short"), "multi_label_classification"),
    "number": Head("sequence-classification", (), "regression"),
    "tags": Head("token-classification", ("O", "B-thing", "I-thing")),
    "answers": Head("question-answering"),
    "causal": Head("causal-lm"),
    "seq2seq": Head("seq2seq-lm"),
}
# The task that has a head, and a family that can do it.
ASKED = {
    "single": ("text-classification", "bert"),
    "multi": ("text-classification", "bert"),
    "number": ("text-classification", "bert"),
    "tags": ("token-classification", "bert"),
    "answers": ("question-answering", "bert"),
    "causal": ("text-generation", "llama"),
    "seq2seq": ("summarization", "bart"),
}


@dataclass(frozen=True)
class Tuned:
    """The folder a training starts from, and what it wrote."""

    method: Method
    head: Head
    base: Path
    folder: Path

    def serving(self, task: str) -> Serving:
        """How a package of it is asked."""
        method = None if self.method.merges else self.method
        return Serving(task, self.head, max_length=32, max_new_tokens=4, batch_size=2, method=method)


def tuned(base: Path, head: Head, folder: Path, *, kind: str, **settings: Any) -> Tuned:
    """A method on ``base``, each trained weight moved so far that answers change."""
    method = TypeAdapter(Method).validate_python({"kind": kind, **settings})
    model = method.attach(load_model(base, head, dtype=torch.float32, attention="eager"), head)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.3 * torch.randn_like(parameter) * parameter.abs().mean().clamp(min=0.1))
    folder.mkdir()
    method.save(model, folder)
    (folder / "facts.json").write_text(json.dumps({"kind": kind}))
    return Tuned(method, head, base, folder)


def rows(texts: list[str] = TEXTS, **columns: list[Any]) -> pa.Table:
    """Rows of a split with nothing but texts, and ``columns``."""
    empty = {name: pa.nulls(len(texts), pa.string()) for name in ("pair", "messages", "label")}
    return pa.table({"text": texts, **empty, "label_id": pa.nulls(len(texts), pa.int64()), **columns})
