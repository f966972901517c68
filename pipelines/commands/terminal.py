"""What people type and see: the arguments that commands share, and the console."""

from typing import Annotated

import typer
from rich.console import Console

console = Console(soft_wrap=True)
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name: its file without .yaml.")]
Overrides = Annotated[list[str], typer.Option("--set", metavar="FIELD=VALUE", help="For this launch; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
