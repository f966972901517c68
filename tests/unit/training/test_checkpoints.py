import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luthier.digest import file_digest
from luthier.training.checkpoints import SEAL, is_complete, last_complete, seal
from luthier.training.finetuning import finetune


def checkpoint(work: Path, step: int, best: int | None = None) -> Path:
    folder = work / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes([step] * 100))
    state = {"best_model_checkpoint": None if best is None else str(work / f"checkpoint-{best}")}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    seal(folder)
    return folder


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip_a_bit(folder / "adapter_model.safetensors"),
        lambda folder: (folder / "adapter_model.safetensors").write_bytes(b""),
        lambda folder: (folder / "trainer_state.json").unlink(),
        lambda folder: (folder / SEAL).unlink(),
        lambda folder: (folder / "optimizer.pt").write_bytes(b"of another"),
    ],
    ids=["bit", "truncated", "missing", "unsealed", "added"],
)
def test_a_damaged_checkpoint_is_removed_and_the_one_before_it_used(tmp_path, damage):
    older, newer = checkpoint(tmp_path, 9), checkpoint(tmp_path, 10)
    damage(newer)
    assert not is_complete(newer)
    assert last_complete(tmp_path) == older
    assert not newer.exists()


def test_a_checkpoint_whose_best_is_damaged_is_not_used(tmp_path):
    best, newer = checkpoint(tmp_path, 10), checkpoint(tmp_path, 20, best=10)
    flip_a_bit(best / "adapter_model.safetensors")
    assert last_complete(tmp_path) is None
    assert not newer.exists()


def test_without_checkpoints_there_is_none(tmp_path):
    assert last_complete(tmp_path) is None


SCRIPT = """
import pickle, sys
from pathlib import Path
from luthier.training.finetuning import finetune
job = pickle.loads(Path(sys.argv[1]).read_bytes())
finetune(job, work=Path(sys.argv[2]), output=Path(sys.argv[3]), on_metrics=lambda values, step: None)
"""


def reached(seal: Path) -> int:
    return int(seal.parent.name.rpartition("-")[2])


@pytest.mark.parametrize(
    ("kind", "step", "settings"),
    [
        ("full", 1, {}),
        ("lora", 12, {}),
        ("qlora", 1, {}),
        # Within the second epoch of eleven steps, whose order must be the one that it had.
        ("lora", 15, {"evaluate_every": 5}),
        ("lora", 15, {"evaluate_every": 5, "group_by_length": False}),
    ],
)
def test_a_killed_training_resumes_and_ends_in_the_bytes_of_one_that_was_not(
    fine_tuning, tmp_path, kind, step, settings
):
    import pickle

    given = {"epochs": 4, "gradient_accumulation": 2, "batch_size": 8, "learning_rate": 2e-3, **settings}
    job = fine_tuning(kind, early_stopping={"patience": 99}, **given)
    whole, resumed, work = tmp_path / "whole", tmp_path / "resumed", tmp_path / "work"
    whole.mkdir(), resumed.mkdir()
    finetune(job, work=tmp_path / "other", output=whole, on_metrics=lambda values, step: None)
    (tmp_path / "job.pkl").write_bytes(pickle.dumps(job))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "job.pkl"), str(work), str(resumed)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not any(reached(seal) >= step for seal in work.glob(f"checkpoint-*/{SEAL}")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (work / "checkpoint-9999").mkdir()
    steps: list[int] = []
    facts = finetune(job, work=work, output=resumed, on_metrics=lambda values, step: steps.append(step))
    assert facts.resumed_from_step >= step
    assert steps[0] == 1, "the curve of a resumed training begins at its first step"
    (expected,), (found,) = whole.glob("*.safetensors"), resumed.glob("*.safetensors")
    assert file_digest(found) == file_digest(expected)
    assert json.loads((resumed / "history.json").read_text())[0]["step"] == 1
