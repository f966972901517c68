"""Tables of rows as splits have them, and fine-tunings of tiny models on them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from luthier.methods import Method
from luthier.recipe.schema import TrainingSection
from luthier.tasks import Task
from luthier.tasks.head import Head
from luthier.training.compute import choose_compute
from luthier.training.finetuning import FineTuning
from luthier.training.tokens import write_tokens

SPANS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())]))


def table(texts: Sequence[str], labels: Sequence[Any], pairs: Sequence[str] | None = None) -> pa.Table:
    """The columns of a split; lists of spans are given as (start, end, label)."""
    if labels and isinstance(labels[0], list):
        named = [[dict(zip(("start", "end", "label"), span, strict=True)) for span in spans] for spans in labels]
        given = pa.array(named, SPANS)
    else:
        given = pa.array(labels, pa.string())
    nothing = pa.nulls(len(texts), pa.string())
    return pa.table(
        {
            "row": range(len(texts)),
            "text": pa.array(texts, pa.string()),
            "pair": nothing if pairs is None else pa.array(pairs, pa.string()),
            "messages": nothing,
            "label": given,
            "label_id": pa.nulls(len(texts), pa.int64()),
        }
    )


@pytest.fixture
def fine_tuning(tmp_path: Path) -> Callable[..., FineTuning]:
    """A full fine-tuning of ``base``; keyword arguments are training settings."""

    def make(
        task: Task, head: Head, metric: str, base: Path, train: pa.Table, validation: pa.Table, **settings: Any
    ) -> FineTuning:
        splits, tokens = tmp_path / "splits", tmp_path / "tokens"
        splits.mkdir(exist_ok=True)
        pq.write_table(train, splits / "train.parquet")
        pq.write_table(validation, splits / "validation.parquet")
        training = TrainingSection.model_validate({"threads": 1, "max_length": 32, "precision": "float32", **settings})
        write_tokens(splits, base, task, head, max_length=training.max_length, folder=tokens)
        method = TypeAdapter(Method).validate_python({"kind": "full"})
        return FineTuning(
            task=task,
            head=head,
            metric=metric,
            method=method,
            training=training,
            compute=choose_compute(training, method),
            model=base,
            tokens=tokens,
        )

    return make
