"""A training whose process is killed, in the real job: the step begins again, and the training goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from luthier.training.checkpoints import SEAL
from resources.tracking import Tracking

TRAINING = (
    "{epochs: 60, batch_size: 16, max_length: 16, evaluate_every: 20, early_stopping: {patience: 999}, threads: 1}"
)


def holder_of(lock: Path, within: psutil.Process) -> psutil.Process:
    """The process that makes the artifact of a lock."""
    (found,) = [
        child for child in within.children(recursive=True) if any(f.path == str(lock) for f in child.open_files())
    ]
    return found


def test_a_killed_training_goes_on_in_the_same_run(project, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=TRAINING)
    home = project / "home"
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "run", "tiny"]
    with (project / "printed.txt").open("w") as printed:
        run = subprocess.Popen(command, stdout=printed, stderr=printed)
    while len(sealed := list(home.glob(f"work/adapter/*/checkpoint-*/{SEAL}"))) < 2:
        assert run.poll() is None, (project / "printed.txt").read_text()
        time.sleep(0.01)
    digest = sealed[0].parent.parent.name
    step = holder_of(home / "artifacts" / "adapter" / f"{digest}.lock", psutil.Process(run.pid))
    os.kill(step.pid, signal.SIGKILL)
    assert run.wait() == 0, (project / "printed.txt").read_text()
    assert "adapter ended before it was done, and begins again" in (project / "printed.txt").read_text()
    facts = json.loads((home / "artifacts" / "adapter" / digest / "facts.json").read_text())
    assert facts["resumed_from_step"] >= 20
    assert (facts["batch_size"], facts["out_of_memory_retries"]) == (16, 0)
    client = Tracking(home=str(home)).store.client
    (experiment,) = [found for found in client.search_experiments() if found.name == "tiny"]
    trainings = [r for r in client.search_runs([experiment.experiment_id]) if r.info.run_name == "2 training"]
    assert sorted(run.info.status for run in trainings) == ["FINISHED", "KILLED"]
