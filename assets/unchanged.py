"""Runs that found everything made already."""

import dagster as dg

from resources.artifact_store import Artifact


def nothing_was_made(context: dg.AssetExecutionContext, report: Artifact) -> str | None:
    """A sentence for people where this run, from the source on, reused all that the report follows from; else None."""
    records = context.instance.get_records_for_run(
        context.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    events = [record.event_log_entry.dagster_event for record in records]
    found = [event.step_materialization_data.materialization for event in events if event is not None]
    made = {materialization.asset_key.to_user_string(): materialization.metadata for materialization in found}
    began_at_source = {"raw_data", "base_model"} <= made.keys()
    if not (report.reused and began_at_source and all(metadata["reused"].value for metadata in made.values())):
        return None
    day = report.manifest["created"]
    return f"Unchanged: data, base model and recipe are as they were on {day}, so everything was reused."
