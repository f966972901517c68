"""Checkpoints one can resume from: sealed with a digest of every file, so that a torn or changed one is never used."""

import json
import logging
import shutil
from pathlib import Path

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from luthier.digest import folder_digests
from luthier.durable import sync, written_whole

log = logging.getLogger(__name__)

SEAL = "complete.json"


class SealCheckpoints(TrainerCallback):
    """Seals each checkpoint once the Trainer has written all of it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def seal(checkpoint: Path) -> None:
    """Flushes the checkpoint's files to disk, then writes their digests in one atomic step."""
    digests = folder_digests(checkpoint)
    for name in digests:
        sync(checkpoint / name)
    with written_whole(checkpoint / SEAL) as path:
        path.write_text(json.dumps(digests, indent=2))


def is_complete(checkpoint: Path) -> bool:
    """Whether the checkpoint is sealed and every byte is as it was sealed."""
    if not (checkpoint / SEAL).is_file():
        return False
    digests = json.loads((checkpoint / SEAL).read_text())
    found = folder_digests(checkpoint)
    found.pop(SEAL)
    return found == digests


def last_complete(work: Path) -> Path | None:
    """The newest checkpoint of ``work`` to resume from; torn ones, and those whose best checkpoint is, are removed."""
    for checkpoint in sorted(work.glob("checkpoint-*"), key=_step, reverse=True):
        if is_complete(checkpoint) and _best_is_complete(checkpoint):
            return checkpoint
        log.warning("checkpoint %s is incomplete or damaged: removed", checkpoint.name)
        shutil.rmtree(checkpoint)
    return None


def _best_is_complete(checkpoint: Path) -> bool:
    best = json.loads((checkpoint / "trainer_state.json").read_text())["best_model_checkpoint"]
    return best is None or is_complete(checkpoint.parent / Path(best).name)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
