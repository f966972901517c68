"""Why a run failed, in words."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.events import JobFailureData


def failure_text(event: dg.DagsterEvent, said: Mapping[str, str]) -> str:
    """Why a step failed: the text of a ``dg.Failure``, what its failed checks said, else the innermost error.

    ``said`` has the descriptions of failed checks by step.
    """
    data, step = event.step_failure_data, str(event.step_key)
    if data.user_failure_data and data.user_failure_data.description:
        return f"{step}: {data.user_failure_data.description}"
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return f"{step}: no reason was recorded"
    if error.cls_name == "DagsterAssetCheckFailedError" and step in said:
        return f"{step}: {said[step]}"
    if error.cls_name == "ChildProcessCrashException":
        return (
            f"{step}: its process was ended from outside\n"
            "remedy: run it again: a training goes on from its last checkpoint, with half the batch where the kernel "
            "ended it for want of memory"
        )
    return f"{step}: {error.message.strip()}"


def failed_checks(events: Sequence[dg.DagsterEvent]) -> dict[str, str]:
    """What failed checks said, by step; those that only warn stop none."""
    found: dict[str, list[str]] = {}
    for event in events:
        if event.event_type_value != "ASSET_CHECK_EVALUATION":
            continue
        check = event.asset_check_evaluation_data
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            said = f"check {check.check_name}: {check.description or 'failed'}"
            found.setdefault(str(event.step_key), []).append(said)
    return {step: "\n".join(checks) for step, checks in found.items()}


def run_failure_text(events: Sequence[dg.DagsterEvent]) -> str:
    """Why a run failed: the texts of its failed steps, else what Dagster says of the run."""
    said = failed_checks(events)
    steps = [failure_text(event, said) for event in events if event.is_step_failure]
    if steps:
        return "\n".join(dict.fromkeys(steps))
    ends = [event for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    if not ends:
        return "no reason was recorded"
    data = ends[-1].event_specific_data
    error = data.error if isinstance(data, JobFailureData) else None
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.message if error else ends[-1].message or "no reason was recorded").strip()
