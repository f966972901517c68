"""The command line."""

import logging
import sys
from typing import NoReturn

import typer
from rich.console import Console

from luthier.errors import LuthierError
from luthier.recipe.problems import RecipeError
from pipelines.commands import machine, prediction, recipes, registry, reports, runs, serving
from resources.home import prepare_home

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Fine-tune by recipe."
)
for commands in (runs, reports, prediction, registry, serving, machine):
    app.add_typer(commands.app)
app.add_typer(recipes.app, name="recipe")


def main() -> None:
    """Exit codes: 0 done, 1 failed, 2 wrong use or wrong recipe."""
    # It advises to install a package that fetches native code, whenever it is imported on some processors.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    prepare_home()
    try:
        app()
    except RecipeError as error:
        _stop(error, 2)
    except LuthierError as error:
        _stop(error, 1)


def _stop(error: LuthierError, code: int) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False, highlight=False)
    sys.exit(code)
