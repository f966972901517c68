"""Recipes that run by themselves: real ticks of the schedules, and the runs that they ask for."""

import logging
from datetime import UTC, datetime

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.definitions import defs as shipped
from pipelines.jobs import finetune
from pipelines.schedules import finetune_schedules, schedule_name
from resources.recipe_book import RecipeBook
from tests.dag.graph import Graph, remade
from tests.dag.test_promotion import EASY, FULL, IDLE

MONDAY_AT_THREE = '{cron: "0 3 * * 1", time_zone: Europe/Berlin}'
TICK = datetime(2026, 11, 30, 2, tzinfo=UTC)


def definitions(graph: Graph) -> dg.Definitions:
    """What is shipped, over the recipes of the graph's project."""
    book = RecipeBook(folder=str(graph.project / "recipes"))
    return dg.Definitions(
        assets=shipped.assets,
        jobs=[finetune],
        schedules=finetune_schedules(book),
        resources={"recipes": book, "artifacts": graph.artifacts, "tracking": graph.tracking},
    )


def ticked(graph: Graph, recipe: str = "tiny", at: datetime = TICK) -> dg.RunRequest | str:
    """What the schedule of a recipe does at a tick: the run that it asks for, or why there is none."""
    found = definitions(graph).resolve_schedule_def(schedule_name(recipe))
    repository = definitions(graph).get_repository_def()
    with dg.build_schedule_context(graph.instance, at, repository_def=repository) as context:
        data = found.evaluate_tick(context)
    return data.run_requests[0] if data.run_requests else str(data.skip_message)


def run(graph: Graph, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """The run that a schedule asked for."""
    job = definitions(graph).resolve_job_def("finetune")
    result = job.execute_in_process(
        instance=graph.instance, partition_key=request.partition_key, tags=request.tags, raise_on_error=False
    )
    graph.tracking.reconcile(graph.instance)
    return result


def test_a_tick_runs_finetune_and_a_second_one_says_that_nothing_was_new(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY, schedule=MONDAY_AT_THREE)
    request = ticked(graph)
    assert request.partition_key == "tiny"
    assert request.tags["luthier/trigger"] == "schedule" and request.tags["dagster/priority"] == "-1"
    first = run(graph, request)
    assert first.success and "deployed_artifact" in remade(first)

    second = run(graph, ticked(graph, at=datetime(2026, 12, 7, 2, tzinfo=UTC)))
    assert second.success and remade(second) == set()
    (report,) = second.asset_materializations_for_node("evaluation_report")
    assert "everything was reused" in report.metadata["unchanged"].value
    (parent,) = [run for run in graph.mlflow_runs(second) if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["luthier.unchanged"] == "true"

    with (graph.project / "reviews.csv").open("a") as file:
        file.write("999,1.5,good lovely film extra\n")
    third = run(graph, ticked(graph, at=datetime(2026, 12, 14, 2, tzinfo=UTC)))
    assert third.success and {"raw_data", "adapter", "evaluation_report"} <= remade(third)
    (report,) = third.asset_materializations_for_node("evaluation_report")
    assert "unchanged" not in report.metadata
    assert "champion, version 1" in report.metadata["champion"].value


def test_a_schedule_comes_at_its_own_time_runs_by_default_and_asks_once_for_each_tick(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, schedule=MONDAY_AT_THREE)
    (schedule,) = finetune_schedules(RecipeBook(folder=str(graph.project / "recipes")))
    assert schedule.name == "finetune_tiny" and schedule.job_name == "finetune"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    # Winter: three o'clock in Berlin is two o'clock in UTC.
    start = datetime(2026, 11, 28, tzinfo=UTC).timestamp()
    ticks = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
    assert next(ticks).astimezone(UTC) == TICK
    assert ticked(graph).run_key == ticked(graph).run_key
    assert ticked(graph).run_key != ticked(graph, at=next(ticks)).run_key


def test_a_tick_waits_for_the_scheduled_run_before_it(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, schedule=MONDAY_AT_THREE)
    write_recipe("tiny-full", base=tiny_bert, schedule=MONDAY_AT_THREE)
    request = ticked(graph)
    job = definitions(graph).resolve_job_def("finetune")
    waiting = graph.instance.create_run_for_job(job, tags=request.tags)
    assert "has not ended" in ticked(graph)
    assert isinstance(ticked(graph, "tiny-full"), dg.RunRequest)
    graph.instance.report_run_canceled(waiting)
    assert isinstance(ticked(graph), dg.RunRequest)


def test_recipes_without_a_schedule_and_recipes_that_are_not_valid_have_none(
    graph, tiny_bert, write_recipe, caplog: pytest.LogCaptureFixture
):
    write_recipe(base=tiny_bert)
    write_recipe("tiny-full", base=tiny_bert, schedule='"0 25 * * *"')
    write_recipe("tiny-qlora", base=tiny_bert, schedule='"@daily"')
    with caplog.at_level(logging.WARNING, "luthier.schedules"):
        found = finetune_schedules(RecipeBook(folder=str(graph.project / "recipes")))
    assert [schedule.name for schedule in found] == ["finetune_tiny_qlora"]
    assert "no schedule for tiny-full" in caplog.text and "hour 25" in caplog.text
    definitions(graph).get_repository_def()


def test_names_that_dagster_would_write_alike_stay_apart(graph, tiny_bert, write_recipe):
    for name in ("a-b", "a.b", "c"):
        write_recipe(name, base=tiny_bert, schedule='"@daily"')
    found = finetune_schedules(RecipeBook(folder=str(graph.project / "recipes")))
    names = [schedule.name for schedule in found]
    assert len(set(names)) == 3 and names[-1] == "finetune_c"
    assert all(name.startswith("finetune_a_b_") for name in names[:2])
