"""Ticks of the daemon's sensors, in a process that may be made to die at a given moment.

python -m tests.e2e.sensor_tick [MOMENT]   with DAGSTER_HOME and LUTHIER_RECIPES set; MOMENT is one of Dagster's names.
"""

import logging
import signal
import sys

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.sensor import execute_sensor_iteration

SENSOR = "retune_on_shortfall"
TICKS = 3


def tick(moment: str | None) -> None:
    """Evaluates the sensors that run by default, as the daemon does."""
    target = ModuleTarget("pipelines.definitions", attribute=None, working_directory=None, location_name="luthier")
    flags = {SENSOR: {moment: signal.SIGKILL}} if moment else None
    with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, target) as workspace:
        before = ended_ticks(instance)
        while ended_ticks(instance) < before + TICKS:
            list(execute_sensor_iteration(workspace, logging.getLogger("tick"), None, None, debug_crash_flags=flags))


def ended_ticks(instance: dg.DagsterInstance) -> int:
    """Ticks of the sensor that came to an end."""
    ended = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
    states = [state for state in instance.all_instigator_state() if state.instigator_name == SENSOR]
    return sum(len(instance.get_ticks(s.instigator_origin_id, s.selector_id, statuses=ended)) for s in states)


if __name__ == "__main__":
    tick(sys.argv[1] if len(sys.argv) > 1 else None)
