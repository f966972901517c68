"""Commands about the registered versions of a recipe."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.terminal import AsJson, RecipeName, console
from pipelines.home_resources import home_artifacts, home_recipes, home_tracking

if TYPE_CHECKING:
    from resources.champion_history import ChampionChange

app = typer.Typer()


@app.command()
def versions(recipe: RecipeName, as_json: AsJson = False) -> None:
    """Show what is registered of a recipe: aliases, scores, when and why; and who was champion before."""
    from pipelines.versions import Versions, print_versions

    found = Versions.of(home_recipes().get(recipe).model_name, home_tracking())
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        print_versions(found, console)


@app.command()
def promote(
    recipe: RecipeName,
    version: Annotated[str | None, typer.Option("--version", metavar="N", help="By default the challenger.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="For the history.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Whatever the comparison with the champion says.")] = False,
) -> None:
    """Make a registered version of a recipe the champion."""
    from pipelines.versions import promote as promoted

    model, tracking = home_recipes().get(recipe).model_name, home_tracking()
    change = promoted(model, version, reason=reason, force=force, artifacts=home_artifacts(), tracking=tracking)
    _print_change(model, change)


@app.command()
def rollback(
    recipe: RecipeName,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="By default the champion before.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="For the history.")] = None,
) -> None:
    """Make an earlier version of a recipe the champion again."""
    from pipelines.versions import roll_back

    model, tracking = home_recipes().get(recipe).model_name, home_tracking()
    _print_change(model, roll_back(model, to, reason=reason, tracking=tracking))


def _print_change(model: str, change: "ChampionChange") -> None:
    before = f"; before it was version {change.before}" if change.before else ""
    console.print(f"{model} version {change.version} is the champion{before}.", markup=False, highlight=False)
