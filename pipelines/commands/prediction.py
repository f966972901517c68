"""The command that asks a registered model."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.commands.terminal import RecipeName, console
from pipelines.home_resources import home_recipes

app = typer.Typer()


@app.command()
def predict(
    recipe: RecipeName,
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="Texts to answer.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="A UTF-8 file with one text a line; with --out any form. - is standard input."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            help="Second text of a pair, or question: one for all texts, or one for each; with --out its column.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Answer a file of any size into .parquet, .jsonl or .csv; goes on after a kill."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="With --out: the column with the text, or a template of columns.")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="With --out: the input's form: csv, jsonl, text.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="A registered version; the champion else.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Ask the champion of a recipe."""
    from pipelines.batch_prediction import answer_file, is_batch_input
    from pipelines.prediction import answers, paired, printed, read_texts

    if out is not None:
        if file is None or texts or as_json or len(pairs or []) > 1:
            raise typer.BadParameter("--out takes --file, and neither texts, --json nor more than one --pair")
        pair = pairs[0] if pairs else None
        resolved = home_recipes().get(recipe)
        ended = answer_file(
            resolved, file, out, version=version, form=form, text=text, pair=pair, console=Console(stderr=True)
        )
        console.print(ended.said, markup=False, highlight=False)
        return
    if text or form:
        raise typer.BadParameter("--text and --format go with --out")
    if file is not None and is_batch_input(file):
        raise typer.BadParameter(f"{file} has columns: give --out FILE, where the answers go")
    given = [*(texts or []), *(read_texts(file) if file else [])]
    if not given:
        raise typer.BadParameter("give texts, or --file")
    columns = {"text": given, **({"pair": paired(pairs, given)} if pairs else {})}
    for answer in answers(home_recipes().get(recipe).model_name, columns, version):
        if as_json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            console.print(printed(answer, list(columns)), markup=False, highlight=False)
