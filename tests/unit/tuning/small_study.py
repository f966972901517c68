"""Studies of real trainings of a tiny model, each in a process that can be killed."""

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from luthier.digest import digest_of
from luthier.recipe.tuning_section import TuningSection
from luthier.training.compute import choose_compute
from luthier.training.job import FineTuning
from luthier.tuning.result import TrialResult
from luthier.tuning.space import Dimension
from luthier.tuning.tuning import PreparedTrial, Start, Tuning

RATE = "training.learning_rate"
RATES = (Dimension(RATE, low=1e-4, high=3e-2, log=True),)
FATAL = 0.02


@dataclass(frozen=True)
class SmallStudy:
    """``fatal``: trials with a learning rate above ``FATAL`` end their own process."""

    job: FineTuning
    folder: Path
    section: TuningSection
    space: tuple[Dimension, ...] = RATES
    starts: tuple[Start, ...] = ()
    seconds: float | None = None
    fatal: bool = False
    storage: str | None = None

    def tuning(self) -> Tuning:
        return Tuning(
            recipe="small",
            study="small",
            section=self.section,
            space=self.space,
            starts=self.starts,
            like=self.job,
            storage=self.storage or f"sqlite:///{self.folder / 'studies.db'}",
            lock=self.folder / "studies.lock",
            seconds=self.seconds,
            prepare=self.prepare,
            record=self.record,
        )

    def prepare(self, values: Mapping[str, Any]) -> PreparedTrial:
        given: dict[str, dict[str, Any]] = {"method": {}, "training": {}}
        for name, value in values.items():
            section, _, field = name.partition(".")
            given[section][field] = value
        method = type(self.job.method).model_validate({**self.job.method.model_dump(), **given["method"]})
        training = type(self.job.training).model_validate({**self.job.training.model_dump(), **given["training"]})
        job = replace(self.job, method=method, training=training, compute=choose_compute(training, method))
        digest = digest_of(values)
        return PreparedTrial(job, self.folder / "work" / digest, digest)

    @contextmanager
    def record(self, number: int, values: Mapping[str, Any], origin: str) -> Iterator["Record"]:
        self.note(number, "began")
        yield Record(self, number)

    def note(self, number: int, what: str) -> None:
        with (self.folder / "records.jsonl").open("a") as file:
            file.write(json.dumps([number, what]) + "\n")

    def noted(self, what: str) -> list[int]:
        """The trials of which this was noted, in the order of the notes."""
        lines = (self.folder / "records.jsonl").read_text().splitlines()
        return [number for number, said in map(json.loads, lines) if said == what]


@dataclass(frozen=True)
class Record:
    study: SmallStudy
    number: int

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Nobody looks at them."""

    def ended(self, result: TrialResult) -> None:
        self.study.note(self.number, result.state)


def begin(study: SmallStudy) -> ForkServerProcess:
    """Works on the study in a process of its own, which has the imports at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.tuning.small_study", "luthier.tuning.study"])
    process = context.Process(target=work, args=(study,))
    process.start()
    return process


def finished(study: SmallStudy) -> list[TrialResult]:
    """Every trial, once the study has ended."""
    process = begin(study)
    process.join()
    assert process.exitcode == 0
    return results(study)


def results(study: SmallStudy) -> list[TrialResult]:
    from luthier.tuning.study import RunningStudy

    return RunningStudy(study.tuning()).results()


def work(study: SmallStudy) -> None:
    """In the process."""
    from luthier.tuning import nursery
    from luthier.tuning.study import RunningStudy

    nursery.START_METHOD = "fork"
    if study.fatal:
        nursery.train_trial = _fatal(nursery.train_trial)
    (study.folder / "ended").write_text(RunningStudy(study.tuning()).work())


def _fatal(honest: Any) -> Any:
    def train(job: FineTuning, *arguments: Any, **settings: Any) -> Any:
        if job.training.learning_rate > FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(job, *arguments, **settings)

    return train
