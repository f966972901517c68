"""Commands that show what runs found."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.terminal import AsJson, RecipeName, console
from pipelines.home_resources import home_artifacts, home_recipes

app = typer.Typer()


@app.command()
def report(
    recipe: RecipeName,
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The whole report as Markdown.")] = False,
    opened: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    versus: Annotated[
        str | None, typer.Option("--versus", metavar="OTHER", help="A recipe, a report's digest, or champion.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="With --versus: where the page is written.")] = None,
) -> None:
    """Say what the newest run of a recipe came to, or how it stands beside another."""
    import dagster as dg

    from pipelines.report_command import open_page, show_versus
    from pipelines.results import newest_result
    from pipelines.summary import print_result

    resolved = home_recipes().get(recipe)
    with dg.DagsterInstance.get() as instance:
        if versus is not None:
            show_versus(resolved, versus, instance, home_artifacts(), console, as_json=as_json, out=out, opened=opened)
            return
        result = newest_result(recipe, instance, home_artifacts())
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
    elif as_markdown:
        print(result.as_markdown(), end="")
    else:
        print_result(resolved, result, console)
    if opened:
        open_page(result.page, console, silent=as_json or as_markdown)


@app.command()
def study(recipe: RecipeName, as_json: AsJson = False) -> None:
    """Show the newest study of a recipe: the best values, what was searched, every trial."""
    import dagster as dg

    from luthier.tuning.report import study_json
    from luthier.tuning.terminal import print_study
    from pipelines.results import newest_study

    home_recipes().get(recipe)
    with dg.DagsterInstance.get() as instance:
        found, page = newest_study(recipe, instance)
    if as_json:
        print(json.dumps({**study_json(found), "best": found.best.number, "report": str(page)}, indent=2))
    else:
        print_study(found, console, page=page)
