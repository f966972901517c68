"""A study at work: trials begin until the budget is used up, whatever becomes of each."""

import logging
import shutil
import time
from collections.abc import Mapping
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from luthier.errors import LuthierError
from luthier.tuning.database import LOCK_SECONDS, claim, open_storage, open_study, retry_orphans, superseded
from luthier.tuning.nursery import Nursery
from luthier.tuning.result import SAMPLED, State, TrialResult
from luthier.tuning.search import grid_is_used_up, pruner, sampler
from luthier.tuning.space import as_json, suggest
from luthier.tuning.starts import add_start
from luthier.tuning.trial_result import trial_result
from luthier.tuning.trial_training import Standing, TrialOutcome
from luthier.tuning.tuning import PreparedTrial, Tuning

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class TrialFailed(Exception):
    """A trial that came to nothing; the study goes on."""


class Interrupted(BaseException):
    """The process is to end: the trial is left as it is, to be tried again."""


class RunningStudy:
    """Works on a study until it has ended. Several processes may work on the same one."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self.study = open_study(
            tuning.study,
            open_storage(tuning.storage, tuning.lock),
            higher_is_better=tuning.metric.higher_is_better,
        )
        self.study.pruner = pruner(tuning.section)
        # Held from the moment a trial is counted until it says whose it is.
        self.beginning = FileLock(tuning.lock.with_suffix(".trial"), timeout=LOCK_SECONDS)

    def work(self) -> str:
        """Runs trials until the budget is used up; says what ended the study.

        Raises:
            LuthierError: no trial could be completed.
        """
        with self.beginning:
            self._begin()
        with Nursery(self.tuning.like) as nursery:
            while True:
                with self.beginning:
                    for number in retry_orphans(self.study):
                        log.warning("trial %d: its process is gone; its values are tried again", number)
                    ended = self._used_up()
                    if ended is None:
                        self._one_trial(nursery)
                        continue
                if not self._others_at_work():
                    break
                time.sleep(POLL_SECONDS)
        self._require_one()
        return ended

    def trials(self) -> list[FrozenTrial]:
        """Those that count: begun, and not killed and tried again."""
        found = self.study.get_trials(deepcopy=False)
        gone = superseded(found)
        return [trial for trial in found if trial.state != TrialState.WAITING and trial.number not in gone]

    def results(self) -> list[TrialResult]:
        """Every trial that was begun, those too that were killed and tried again."""
        found = self.study.get_trials(deepcopy=False)
        gone, space = superseded(found), self.tuning.space
        begun = [trial for trial in found if trial.state != TrialState.WAITING]
        return [trial_result(trial, space, killed=trial.number in gone) for trial in begun]

    def _begin(self) -> None:
        """Writes down the space and the trials that the study starts with, once."""
        if "space" in self.study.user_attrs:
            return
        for start in self.tuning.starts:
            add_start(self.study, start, self.tuning.space, self.tuning.section)
        self.study.set_user_attr("recipe", self.tuning.recipe)
        self.study.set_user_attr("space", as_json(self.tuning.space))

    def _used_up(self) -> str | None:
        section, trials = self.tuning.section, self.trials()
        made = [trial for trial in trials if not trial.user_attrs.get("known")]
        if section.trials is not None and len(made) >= section.trials:
            return "trials used up"
        if self.tuning.seconds is not None and sum(map(_seconds, trials)) >= self.tuning.seconds:
            return "hours used up"
        return "grid used up" if grid_is_used_up(section, self.tuning.space, self.study) else None

    def _one_trial(self, nursery: Nursery) -> None:
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = sampler(self.tuning.section, self.tuning.space, number)
        self.study.optimize(lambda trial: self._objective(trial, nursery), n_trials=1, catch=(TrialFailed,))

    def _objective(self, trial: optuna.Trial, nursery: Nursery) -> float:
        claim(trial)
        self.beginning.release()
        try:
            return self._tried(trial, nursery)
        except KeyboardInterrupt as error:
            raise Interrupted from error
        finally:
            self.beginning.acquire()

    def _tried(self, trial: optuna.Trial, nursery: Nursery) -> float:
        values = suggest(self.tuning.space, trial)
        origin = trial.user_attrs.get("origin", SAMPLED)
        trial.set_user_attr("origin", origin)
        log.info("trial %d (%s): %s", trial.number, origin, said(values))
        prepared: PreparedTrial | None = None
        with self.tuning.record(trial.number, values, origin) as record:
            began = time.monotonic()
            try:
                prepared = self.tuning.prepare(values)
                trial.set_user_attr("training", prepared.digest)
                outcome = nursery.train(
                    prepared, on_metrics=record.metrics, judge=lambda standing: self._goes_on(trial, standing)
                )
            except (LuthierError, RuntimeError) as error:
                trial.set_user_attr("failure", str(error))
                trial.set_user_attr("seconds", time.monotonic() - began)
                self._clear(prepared)
                record.ended(self._result(trial, "failed"))
                raise TrialFailed(str(error)) from error
            self._note(trial, outcome)
            record.ended(self._result(trial, "pruned" if outcome.pruned else "complete"))
        log.info("trial %d: %s", trial.number, self._ending(outcome))
        if outcome.pruned:
            self._clear(prepared)
            raise optuna.TrialPruned
        self._keep_best(prepared, outcome.score)
        return outcome.score

    def _goes_on(self, trial: optuna.Trial, standing: Standing) -> bool:
        trial.report(standing.score, standing.percent)
        return standing.step >= standing.max_steps or not trial.should_prune()

    def _note(self, trial: optuna.Trial, outcome: TrialOutcome) -> None:
        for name, value in (
            ("score", outcome.score),
            ("step", outcome.step),
            ("max_steps", outcome.max_steps),
            ("curve", [list(point) for point in outcome.curve]),
            ("seconds", outcome.seconds),
            ("diagnosis", outcome.diagnosis),
        ):
            trial.set_user_attr(name, value)

    def _result(self, trial: optuna.Trial, state: State) -> TrialResult:
        (found,) = [each for each in self.study.get_trials(deepcopy=False) if each.number == trial.number]
        return trial_result(found, self.tuning.space, state=state)

    def _ending(self, outcome: TrialOutcome) -> str:
        score = f"validation {self.tuning.metric.title} {outcome.score:.4f}"
        where = f"pruned at step {outcome.step} of {outcome.max_steps}, " if outcome.pruned else ""
        return f"{where}{score}"

    def _keep_best(self, prepared: PreparedTrial, score: float) -> None:
        """Of all checkpoints those of the best trial stay, for the training that follows."""
        others = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        metric = self.tuning.metric
        beaten = all(
            score > trial.values[0] if metric.higher_is_better else score < trial.values[0] for trial in others
        )
        digests = {trial.user_attrs["training"] for trial in others if "training" in trial.user_attrs}
        for digest in digests - {prepared.digest} if beaten else {prepared.digest} - digests:
            shutil.rmtree(prepared.work.parent / digest, ignore_errors=True)

    def _clear(self, prepared: PreparedTrial | None) -> None:
        if prepared is not None:
            shutil.rmtree(prepared.work, ignore_errors=True)

    def _others_at_work(self) -> bool:
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def _require_one(self) -> None:
        results = self.results()
        if any(result.state == "complete" for result in results):
            return
        reasons = list(dict.fromkeys(result.failure for result in results if result.failure))
        raise LuthierError(
            "no trial could be completed:\n" + "\n".join(reasons or ["each was killed"]),
            where=f"study {self.tuning.study}",
            remedy="mend what the first one says, or change tuning.space",
        )


def said(values: Mapping[str, Any]) -> str:
    """Values in a line of the log."""
    return ", ".join(f"{name.partition('.')[2]} {_short(value)}" for name, value in values.items()) or "nothing to vary"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _seconds(trial: FrozenTrial) -> float:
    """What a trial has taken; of one that is running, so far."""
    if trial.user_attrs.get("known") or trial.datetime_start is None:
        return 0.0
    ended = trial.datetime_complete.timestamp() if trial.datetime_complete else time.time()
    return ended - trial.datetime_start.timestamp()
