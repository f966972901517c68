"""One training of a comparison, in a process of its own, so that its peak memory is its own."""

import json
import logging
import platform
import shutil
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import torch

from luthier.comparison.comparison import SeedResult
from luthier.evaluation.scores import Score, score
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference
from luthier.tasks.task import Inference
from luthier.training.callbacks import MetricsSink
from luthier.training.finetuning import finetune
from luthier.training.fresh_process import in_fresh_process
from luthier.training.job import FineTuning

log = logging.getLogger(__name__)

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class ComparedTraining:
    """What is trained, and how its answers to the rows of the file ``validation`` are made and scored.

    ``digest`` names it.
    """

    digest: str
    tuning: FineTuning
    validation: Path
    inference: Inference
    confidence: float


def write_result(job: ComparedTraining, folder: Path, *, on_metrics: MetricsSink) -> None:
    """Trains and scores in a fresh process, and writes what came of it as ``facts.json``; the weights are not kept.

    A training that was interrupted begins again, since one in two parts has no time or peak memory to compare.

    Raises:
        LuthierError: what the training raised.
        RuntimeError: the process ended by itself.
    """
    in_fresh_process(partial(train_and_score, job, folder), on_metrics=on_metrics)


def train_and_score(job: ComparedTraining, folder: Path, *, on_metrics: MetricsSink) -> None:
    """``write_result`` in this process."""
    tuning, tuned, work = job.tuning, folder / "tuned", folder / "work"
    tuned.mkdir()
    facts = finetune(tuning, work=work, output=tuned, on_metrics=on_metrics)
    value, rows, seconds = scored(job, tuned)
    result = SeedResult(
        seed=tuning.training.seed,
        score=value,
        scored_rows=rows,
        parameters=facts.parameters,
        trainable_parameters=facts.trainable_parameters,
        peak_memory=facts.peak_memory,
        rows_per_second=facts.rows_per_second,
        training_seconds=facts.training_seconds,
        inference_seconds=seconds,
        file_bytes=sum(path.stat().st_size for path in tuned.rglob("*.safetensors")),
        epochs=facts.epochs,
        diagnosis=facts.diagnosis["kind"],
        compute=facts.compute,
        processor=processor_name(tuning.compute.device),
        digest=job.digest,
    )
    for used in (tuned, work):
        shutil.rmtree(used)
    (folder / "facts.json").write_text(json.dumps(asdict(result), indent=2))


def scored(job: ComparedTraining, tuned: Path) -> tuple[Score, int, float]:
    """The validation score, its rows, and the seconds that predicting 1,000 rows takes, as evaluation does it."""
    tuning = job.tuning
    rows = pq.read_table(job.validation)
    model = load_reference(tuning.method, tuning.model, tuned, tuning.head)
    tokenizer = load_tokenizer(tuning.model)
    log.info("scoring %d validation rows", len(rows))
    began = time.perf_counter()
    predictions = tuning.task.predict(model, tokenizer, rows, tuning.head, job.inference)
    seconds = time.perf_counter() - began
    gold, predicted = tuning.task.compared(tuning.metric, rows, predictions, tuning.head)
    found = score(tuning.metric, gold, predicted, confidence=job.confidence)
    return found, len(gold), 1000 * seconds / len(rows)


def processor_name(device: str) -> str:
    """What the arithmetic ran on, by its maker's name where that is known."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    if CPU_INFO.is_file():
        named = [
            line.partition(":")[2].strip() for line in CPU_INFO.read_text().splitlines() if line[:10] == "model name"
        ]
        return named[0] if named else platform.machine()
    return platform.processor() or platform.machine()
