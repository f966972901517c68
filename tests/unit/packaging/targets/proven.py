"""Tuned models as targets are given them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference, write_servable
from luthier.packaging.parity import TOLERANCE
from luthier.packaging.targets.target import ProvenModel
from luthier.tasks import TASKS
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, rows, tuned

LABELS: dict[str, dict[str, list[Any]]] = {
    "single": {"label": ["bad", "good", "bad", "good"], "label_id": [0, 1, 0, 1]},
    "number": {"label": [1.0, 2.0, 3.0, 4.0]},
    "tags": {"label": [[{"start": 0, "end": 3, "label": "thing"}]] * 4},
    "answers": {"label": [[{"start": 0, "end": 3}]] * 4, "pair": ["what was it?"] * 4},
    "causal": {"label": ["so", "good", "the film", "no"]},
}


def labelled(kind: str) -> pa.Table:
    return rows(TEXTS, **LABELS[kind])


def proven(
    kind: str, folder: Path, /, *, family: str | None = None, base: Path | None = None, **method: Any
) -> ProvenModel:
    """A model with the head ``kind``, tuned at random, packed plainly, and what it answers to four rows."""
    task, usual = ASKED[kind]
    if base is None:
        base = write_tiny_model(family or usual, folder / "base", chat=True)
    provenance = {"scheme": "hub", "repository": "someone/tiny", "commit": "c0ffee"}
    (base / "facts.json").write_text(json.dumps({"provenance": provenance}))
    made = tuned(base, HEADS[kind], folder / "tuned", **{"kind": "lora", **method})
    plain = folder / "plain"
    write_servable(made.method, made.base, made.folder, made.head, plain)
    serving = replace(made.serving(task), batch_size=1 if kind == "causal" else 2, max_new_tokens=8)
    reference = load_reference(made.method, made.base, made.folder, made.head)
    how, given = serving.inference(generated_rows=len(TEXTS)), labelled(kind)
    expected = TASKS[task].predict(reference, load_tokenizer(base), given, made.head, how)
    return ProvenModel(
        "tiny", plain, serving, given, expected, TOLERANCE, base=base, tuned=made.folder, card="# Tiny\n"
    )
