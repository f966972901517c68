import json
import math
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from luthier.errors import ModelError
from luthier.methods import Method
from luthier.tasks import TASKS
from luthier.training.finetuning import finetune
from luthier.training.tokens import write_tokens
from luthier.training.trainable import trainable_model
from luthier.training.trainer import build_trainer
from tests.conftest import PLAIN
from tests.tiny_models import write_tiny_model

TASK = TASKS["text-generation"]
HEAD = TASK.head((), "text", encoder_decoder=False)


@pytest.fixture
def dialogs(fine_tuning, tmp_path):
    """Short questions, each with a short answer, to be trained in packs."""
    asked = [f"{place} {number}" for place in PLAIN for number in range(6)]
    nothing = [None] * len(asked)
    rows = {"text": asked, "pair": nothing, "messages": nothing, "label": ["ok"] * len(asked), "label_id": nothing}
    for split in ("train", "validation"):
        pq.write_table(pa.table(rows), tmp_path / f"{split}.parquet")
    base = write_tiny_model("llama", tmp_path / "base", chat=True)
    write_tokens(tmp_path, base, TASK, HEAD, max_length=128, folder=tmp_path / "tokens")
    job = fine_tuning("lora", packing=True, max_length=128, batch_size=2, epochs=1)
    return replace(job, task=TASK, head=HEAD, metric="perplexity", model=base, tokens=tmp_path / "tokens")


def test_packed_training_reads_the_same_tokens_in_fewer_rows_and_validates_on_plain_ones(dialogs, tmp_path):
    trainer = build_trainer(dialogs, trainable_model(dialogs), tmp_path / "work", extra=[])
    counted = json.loads((dialogs.tokens / "facts.json").read_text())["train"]
    assert sum(trainer.train_dataset["length"]) == counted["tokens"]
    assert len(trainer.train_dataset) < counted["features"] / 2
    assert len(trainer.eval_dataset) == len(trainer.train_sample) == counted["features"]


def test_packed_training_learns(dialogs, tmp_path):
    (tmp_path / "output").mkdir()
    facts = finetune(dialogs, work=tmp_path / "work", output=tmp_path / "output", on_metrics=lambda *_: None)
    history = json.loads((tmp_path / "output" / "history.json").read_text())
    assert facts.rescored == facts.best_score < 0.8 * math.exp(history[0]["loss"])


def test_virtual_tokens_are_not_packed(dialogs, tmp_path):
    job = replace(dialogs, method=TypeAdapter(Method).validate_python({"kind": "prompt"}))
    with pytest.raises(ModelError, match="virtual tokens before the first row alone"):
        build_trainer(job, trainable_model(job), tmp_path, extra=[])
