"""The model that answers, and its successor, loaded beside it while it goes on."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from luthier.errors import LuthierError
from luthier.serving.answering import AnsweringModel, Tell
from luthier.serving.control import Control, State, Target
from luthier.serving.job import Answer, Job, Refused
from luthier.serving.package import Package, read_package
from luthier.serving.prediction_log import PredictionLog

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
TRIED: Final = Job("tried", {}, 1)


class SwappingModel:
    """Answers with the newest version that could be loaded. A batch is answered by one version, whole.

    ``models`` are that version, for each of the threads that may ask at once. A model that writes is asked by one.
    """

    def __init__(self, control: Control, prediction_log: PredictionLog | None = None, *, at_once: int = 1):
        self.control, self.log, self.at_once = control, prediction_log, at_once
        self.seen = control.first
        self.package, self.models = self._loaded(self.seen)
        before = control.state
        self._report(before.started_again(os.getpid()) if before else State(self.seen, os.getpid()))
        log.info("version %s answers, in process %d", self.version, self.state.process)

    def watch(self) -> None:
        """Follows the target, from a thread of its own, as long as the process lives."""
        threading.Thread(target=self._follow, name="swapping", daemon=True).start()

    @property
    def version(self) -> str:
        return self.models[0].version

    def answer(self, jobs: Sequence[Job], tell: Tell, *, thread: int = 0) -> list[Answer | Refused]:
        return self.models[thread].answer(jobs, tell)

    def _follow(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            target = self.control.target
            if target != self.seen:
                self.seen = target
                self.swap(target)

    def swap(self, target: Target) -> None:
        """Loads the target and lets it answer from the next batch on; where that fails, all stays as it is."""
        before = self.version
        if target.version == before:
            return
        try:
            package, models = self._loaded(target)
            self._require_same_protocol(package)
        except Exception as error:
            log.exception("version %s cannot answer, version %s goes on", target.version, before)
            self._report(self.state.not_swapped(target, error))
            return
        self.models = models
        self._report(self.state.swapped(target))
        log.info("version %s answers now, before it version %s", target.version, before)

    def _report(self, state: State) -> None:
        self.state = state
        self.control.report(state)

    def _loaded(self, target: Target) -> tuple[Package, list[AnsweringModel]]:
        """The model, which has answered once."""
        package = read_package(Path(target.folder))
        model = AnsweringModel(package.load(), target.version)
        texts = [name for name in package.required if name != "messages"] or ["text"]
        (answer,) = model.answer([replace(TRIED, columns={name: ["good"] for name in texts})], lambda job, piece: None)
        if isinstance(answer, Refused):
            raise LuthierError("the model does not answer", where=target.folder, received=answer.message)
        model.log = self.log
        others = 0 if model.writes else self.at_once - 1
        return package, [model, *(model.for_another_thread() for _ in range(others))]

    def _require_same_protocol(self, package: Package) -> None:
        if (package.task, package.inputs) != (self.package.task, self.package.inputs):
            raise LuthierError(
                "the version is asked otherwise than the one that answers",
                received=f"{package.task} of {', '.join(package.inputs)}",
                remedy="start the server again",
            )
