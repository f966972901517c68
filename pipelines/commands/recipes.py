"""Commands that look at recipes."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from luthier.recipe.problems import RecipeError
from pipelines.commands.terminal import Overrides, RecipeName, console
from resources.home import recipes_folder
from resources.recipe_book import RecipeBook, recipe_names

app = typer.Typer(no_args_is_help=True, help="Look at recipes.")


@app.command("list")
def list_recipes() -> None:
    """Name every recipe, with what its first comment says."""
    for name in recipe_names(recipes_folder()):
        first = (recipes_folder() / f"{name}.yaml").read_text().partition("\n")[0]
        console.print(
            f"{name:<16} {first.lstrip('# ') if first.startswith('#') else ''}", markup=False, highlight=False
        )


@app.command()
def check(
    recipes: Annotated[list[str] | None, typer.Argument(metavar="[RECIPE]...", help="All when none is named.")] = None,
    overrides: Overrides = [],  # noqa: B006 (typer reads it)
) -> None:
    """Report every problem of the recipes at once, without downloading anything."""
    from pipelines.preflight import check_before_run

    failed: list[str] = []
    for name in recipes or recipe_names(recipes_folder()):
        try:
            check_before_run(name, overrides)
        except RecipeError as error:
            failed.append(str(error))
        else:
            console.print(f"{name}: valid", highlight=False)
    for text in failed:
        Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False, highlight=False)
    raise typer.Exit(2 if failed else 0)


@app.command()
def show(recipe: RecipeName, overrides: Overrides = []) -> None:  # noqa: B006 (typer reads it)
    """Print the resolved recipe, with where each value came from."""
    resolved = RecipeBook(folder=str(recipes_folder()), overrides=overrides).get(recipe)
    table = Table(box=None, pad_edge=False)
    for heading in ("field", "value", "origin"):
        table.add_column(heading, overflow="fold")
    for name, value in resolved.flat().items():
        table.add_row(name, json.dumps(value, ensure_ascii=False), resolved.origins[name])
    console.print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from luthier.recipe.json_schema import recipe_json_schema

    print(json.dumps(recipe_json_schema(), indent=2))
