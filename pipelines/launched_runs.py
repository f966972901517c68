"""What runs that nobody launched by hand have in common, and whether a recipe has a run that has not ended."""

from typing import Any

import dagster as dg

PARTITION = "dagster/partition"
TRIGGER = "luthier/trigger"
# Dagster's own, on a run that has failed.
WILL_RETRY = "dagster/will_retry"
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def launch_overrides(run: dg.DagsterRun) -> list[str]:
    """The values that were given for this run alone."""
    config: Any = run.run_config
    return list(config.get("resources", {}).get("recipes", {}).get("config", {}).get("overrides", []))


def triggered(by: str) -> dict[str, str]:
    """The tags of a run that starts by itself: what a person launches goes first, and a crash is tried once more."""
    return {TRIGGER: by, "dagster/priority": "-1", "dagster/max_retries": "1"}


def unfinished_run(instance: dg.DagsterInstance, recipe: str, by: str | None = None) -> dg.DagsterRun | None:
    """A run of a recipe that is queued or under way, or is about to be tried again; of one trigger or of any."""
    tags = {PARTITION: recipe, **({TRIGGER: by} if by else {})}
    for run in instance.get_runs(dg.RunsFilter(tags=tags, statuses=UNFINISHED), limit=1):
        return run
    newest = instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
    return next((run for run in newest if run.tags.get(WILL_RETRY) == "true" and not run.is_success), None)
