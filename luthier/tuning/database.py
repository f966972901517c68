"""The database of studies: made once whatever runs in parallel, with heartbeats, and trials whose process died."""

import socket
import warnings
from collections.abc import Iterable
from pathlib import Path

import optuna
import psutil
from filelock import FileLock
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from luthier.process_identity import ProcessIdentity

# Seconds. A trial of another host is taken for dead when it says nothing for so long.
HEARTBEAT, GRACE = 10, 120
LOCK_SECONDS = 300
BUSY_SECONDS = 60
# A trial that was killed so many times may be the reason.
MOST_RETRIES = 3
PROCESS = "process"
# Optuna's name for the numbers of the trials that one tries again.
HISTORY = "retry_history"


def open_storage(url: str, lock: Path) -> RDBStorage:
    """The database, with its tables."""
    patience = {"connect_args": {"timeout": BUSY_SECONDS}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    with FileLock(lock, timeout=LOCK_SECONDS), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url,
            engine_kwargs=patience,
            heartbeat_interval=HEARTBEAT,
            grace_period=GRACE,
            heartbeat_stale_trial_callback=retry,
        )


def open_study(name: str, storage: RDBStorage, *, higher_is_better: bool) -> optuna.Study:
    """The study of this name: found, or made."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        direction="maximize" if higher_is_better else "minimize",
        load_if_exists=True,
    )


def claim(trial: optuna.Trial) -> None:
    """Says which process a trial is at work in."""
    process = psutil.Process()
    found = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
    trial.set_user_attr(PROCESS, found)


def retry_orphans(study: optuna.Study) -> list[int]:
    """Fails the trials whose process is gone, has each tried again, and returns their numbers.

    The caller holds the lock under which trials begin, so that none is running that has not been claimed yet.
    """
    found = [trial for trial in study.get_trials(states=(TrialState.RUNNING,)) if _is_orphan(trial)]
    for trial in found:
        study.tell(trial.number, state=TrialState.FAIL)
        retry(study, trial)
    return [trial.number for trial in found]


def retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queues a trial with the same values; what a pruner noted of the first must not count for it too."""
    history = [*trial.system_attrs.get(HISTORY, []), trial.number]
    if len(history) > MOST_RETRIES:
        return
    noted = {name: value for name, value in trial.system_attrs.items() if not name.startswith("completed_rung_")}
    again = optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: value for name, value in trial.user_attrs.items() if name != PROCESS},
        system_attrs={**noted, "failed_trial": history[0], HISTORY: history},
    )
    study.add_trial(again)


def superseded(trials: Iterable[FrozenTrial]) -> set[int]:
    """The numbers of trials that were killed and are tried again by another trial, which counts in their place."""
    return {number for trial in trials for number in trial.system_attrs.get(HISTORY, [])}


def _is_orphan(trial: FrozenTrial) -> bool:
    process = trial.user_attrs.get(PROCESS)
    if process is None:
        return True
    if process["host"] != socket.gethostname():
        return False
    return process["pid"] == psutil.Process().pid or not ProcessIdentity(process["pid"], process["started"]).alive()
