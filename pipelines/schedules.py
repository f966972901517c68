"""Recipes that run by themselves: a schedule of the job finetune for each that has one."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from luthier.digest import digest_of
from luthier.recipe.problems import RecipeError
from pipelines.jobs import finetune
from pipelines.launched_runs import triggered, unfinished_run
from resources.recipe_book import RecipeBook, recipe_names

log = logging.getLogger("luthier.schedules")

TRIGGER = "schedule"


def finetune_schedules(book: RecipeBook) -> list[dg.ScheduleDefinition]:
    """The schedules of all recipes in the book; one that is not valid has none, which is logged."""
    timed = list(_timed(book))
    names = Counter(schedule_name(recipe) for recipe, _, _ in timed)
    return [
        finetune_schedule(recipe, cron, zone, apart=names[schedule_name(recipe)] > 1) for recipe, cron, zone in timed
    ]


def schedule_name(recipe: str) -> str:
    """``finetune_docs_qa`` of ``docs-qa``: Dagster's names are letters, digits and underscores."""
    return f"finetune_{re.sub(r'[^A-Za-z0-9_]', '_', recipe)}"


def finetune_schedule(recipe: str, cron: str, time_zone: str, *, apart: bool = False) -> dg.ScheduleDefinition:
    """Starts ``finetune`` for one recipe, unless the run before has not ended; ``apart`` makes its name its own."""

    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if unfinished_run(context.instance, recipe, TRIGGER):
            return dg.SkipReason(f"the scheduled run of {recipe} before this one has not ended")
        return dg.RunRequest(
            run_key=f"{recipe} {context.scheduled_execution_time.isoformat()}",
            partition_key=recipe,
            tags=triggered(TRIGGER),
        )

    name = schedule_name(recipe)
    return dg.ScheduleDefinition(
        name=f"{name}_{digest_of(recipe)[:6]}" if apart else name,
        job=finetune,
        cron_schedule=cron,
        execution_timezone=time_zone,
        execution_fn=request,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"The recipe {recipe}, as its schedule says.",
    )


def _timed(book: RecipeBook) -> Iterator[tuple[str, str, str]]:
    """Name, cron text and time zone of each recipe that has a schedule."""
    for recipe in recipe_names(Path(book.folder)):
        try:
            schedule = book.get(recipe).recipe.schedule
        except RecipeError as error:
            log.warning("no schedule for %s: %s", recipe, error)
            continue
        if schedule.cron is not None:
            yield recipe, schedule.cron, schedule.time_zone
