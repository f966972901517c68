"""Commands that run a job for a recipe."""

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.terminal import Overrides, RecipeName, console
from pipelines.home_resources import home_artifacts, home_recipes, home_tracking
from resources.home import dagster_port

if TYPE_CHECKING:
    from pipelines.launch import Launch

app = typer.Typer()


@app.command()
def run(
    recipe: RecipeName,
    start_from: Annotated[str | None, typer.Option("--from", metavar="ASSET", help="Start at this asset.")] = None,
    overrides: Overrides = [],  # noqa: B006 (typer reads it)
) -> None:
    """Run the finetune job for a recipe: from raw rows to a registered model."""
    from pipelines.launch import downstream_of, launch
    from pipelines.preflight import check_before_run
    from pipelines.summary import print_summary

    resolved = check_before_run(recipe, overrides)
    ended = launch(recipe, overrides=overrides, selection=downstream_of(start_from) if start_from else None)
    _require_success(ended)
    print_summary(resolved, ended, console)


@app.command()
def tune(
    recipe: RecipeName,
    overrides: Overrides = [],  # noqa: B006 (typer reads it)
    join: Annotated[bool, typer.Option("--join", help="Work on the study that another process has begun.")] = False,
) -> None:
    """Run one round of tuning for a recipe that was run before, and train with what it found."""
    from pipelines.launch import launch
    from pipelines.preflight import check_before_run
    from pipelines.summary import print_summary

    if join:
        _join(recipe)
        return
    resolved = check_before_run(recipe, overrides)
    ended = launch(recipe, overrides=overrides, job="retune")
    _require_success(ended)
    print_summary(resolved, ended, console)


def _join(recipe: str) -> None:
    import dagster as dg

    from pipelines.joining import join_study

    logging.basicConfig(format="%(message)s")
    logging.getLogger("luthier").setLevel(logging.INFO)
    with dg.DagsterInstance.get() as instance:
        ended = join_study(recipe, instance, home_recipes(), home_artifacts(), home_tracking())
    console.print(f"The study has ended: {ended}. The process that began it goes on.", highlight=False)


@app.command()
def data(recipe: RecipeName, overrides: Overrides = []) -> None:  # noqa: B006 (typer reads it)
    """Make a recipe's splits and show them: labels, lengths, leaks, what was rejected and why."""
    import dagster as dg

    from luthier.data_report.terminal import print_data_report
    from pipelines.launch import launch, upstream_of
    from pipelines.preflight import check_before_run
    from pipelines.results import newest_data_report

    check_before_run(recipe, overrides)
    ended = launch(recipe, overrides=overrides, selection=upstream_of("cleaned_splits"))
    if "cleaned_splits" in ended.materialized:
        with dg.DagsterInstance.get() as instance:
            report, page = newest_data_report(recipe, instance)
        print_data_report(report, console, page=page)
    _require_success(ended)


@app.command()
def compare(recipe: RecipeName, overrides: Overrides = []) -> None:  # noqa: B006 (typer reads it)
    """Train a recipe's rows with every method it allows, and show what each scores and costs."""
    import dagster as dg

    from luthier.comparison.terminal import print_comparison
    from pipelines.launch import launch
    from pipelines.preflight import check_before_run
    from pipelines.results import newest_comparison

    check_before_run(recipe, overrides)
    _require_success(launch(recipe, overrides=overrides, job="compare_methods"))
    with dg.DagsterInstance.get() as instance:
        comparison, page = newest_comparison(recipe, instance)
    print_comparison(comparison, console, page=page)


def _require_success(ended: "Launch") -> None:
    if ended.success:
        return
    for failure in ended.failures:
        console.print(failure, style="red", markup=False, highlight=False)
    page = f"http://127.0.0.1:{dagster_port()}/runs/{ended.run_id}"
    console.print(f"Failed. Look further: luthier ui, then {page}", soft_wrap=True)
    raise typer.Exit(1)
