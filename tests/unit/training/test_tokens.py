import json
import shutil
from dataclasses import fields

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.digest import folder_digests
from luthier.errors import DataError, ModelError
from luthier.models.loading import load_tokenizer
from luthier.training.finetuning import finetune
from luthier.training.job import FineTuning
from luthier.training.tokens import require_learnable, require_same_vocabulary, write_tokens
from luthier.tuning.tuning import Tuning
from tests.unit.training.conftest import HEAD, TASK


def counted(folder, **counts: int):
    """Facts of 100 rows a split, with these counts in training."""
    facts = {"train": {"rows": 100, **counts}, "validation": {"rows": 100, "unlearnable": 0}}
    (folder / "facts.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("name", ["unlearnable", "truncated_answers"])
def test_rows_that_teach_nothing_are_refused_above_their_share_with_the_counts(tmp_path, name):
    require_learnable(counted(tmp_path, **{name: 5}), 0.05)
    with pytest.raises(DataError, match=r"train: 6 of 100 rows (.|\n)*training.max_length"):
        require_learnable(counted(tmp_path, **{name: 6}), 0.05)
    require_learnable(counted(tmp_path, **{name: 100}), 1.0)


def test_what_trainings_and_trials_read_is_made_without_the_test_split(splits, tiny_bert, tmp_path):
    shutil.copytree(splits, tmp_path / "sealed", ignore=shutil.ignore_patterns("test.parquet"))
    made = {}
    for name, folder in (("whole", splits), ("sealed", tmp_path / "sealed")):
        write_tokens(folder, tiny_bert, TASK, HEAD, max_length=16, folder=tmp_path / name / "tokens")
        made[name] = folder_digests(tmp_path / name / "tokens")
    assert made["whole"] == made["sealed"]
    # Beside the tokens a training has the model that it starts from, and a tuning has what its trainings have.
    paths = {field.name for field in fields(FineTuning) if "Path" in str(field.type)}
    assert paths == {"model", "tokens", "continued"}
    assert {field.name for field in fields(Tuning) if "Path" in str(field.type)} == {"lock"}


def rows(folder, texts: list[str]):
    nothing = [None] * len(texts)
    labels = [row % 2 for row in range(len(texts))]
    table = pa.table({"text": texts, "pair": nothing, "messages": nothing, "label": labels, "label_id": labels})
    for split in ("train", "validation"):
        pq.write_table(table, folder / f"{split}.parquet")
    return folder


def test_unknown_tokens_are_counted_warned_of_and_refused_when_they_are_most(tiny_bert, tmp_path, caplog):
    def write(texts: list[str]) -> int:
        output = tmp_path / str(len(texts))
        write_tokens(rows(tmp_path, texts), tiny_bert, TASK, HEAD, max_length=16, folder=output)
        return json.loads((output / "facts.json").read_text())["train"]["unknown_tokens"]

    known = "good film good story good actor"
    assert write([known]) == 0
    assert not caplog.records
    assert write([known, "good ψψψ film"]) == 1
    assert "does not know 8 %" in caplog.text
    with pytest.raises(DataError, match=r"does not know \d+% of the tokens"):
        write(["ψψψ φφφ χχχ ψψψ ωωω"] * 3)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    require_same_vocabulary(tokenizer, tiny_bert)
    tokenizer.add_tokens([f"new{number}" for number in range(64)])
    with pytest.raises(ModelError, match=r"more tokens than the model has embeddings(.|\n)*64 embeddings"):
        require_same_vocabulary(tokenizer, tiny_bert)


def test_reading_tokens_and_training_on_them_leaves_their_folder_as_it_was(fine_tuning, tmp_path):
    job = fine_tuning("lora", epochs=1)
    before = folder_digests(job.tokens)
    output = tmp_path / "output"
    output.mkdir()
    finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda values, step: None)
    assert folder_digests(job.tokens) == before
