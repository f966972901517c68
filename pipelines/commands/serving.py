"""The command that serves a registered model."""

from typing import Annotated, Literal

import typer

from pipelines.commands.terminal import RecipeName, console
from pipelines.home_resources import home_recipes

app = typer.Typer()


@app.command()
def serve(
    recipe: RecipeName,
    version: Annotated[str | None, typer.Option(help="This version, whatever the aliases name.")] = None,
    alias: Annotated[str, typer.Option(help="The version of this alias, also when it moves.")] = "champion",
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Port on 127.0.0.1.")] = 8000,
    every: Annotated[
        float, typer.Option(min=0.1, envvar="LUTHIER_SERVE_SECONDS", help="Seconds between looks at the alias.")
    ] = 5.0,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until an answer must have come.")] = 30.0,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows of a request.")] = 256,
    max_characters: Annotated[int, typer.Option(min=1, help="Characters of a text.")] = 20_000,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes of a body.")] = 1_000_000,
    max_waiting: Annotated[int, typer.Option(min=1, help="Requests that wait; more are told to come back.")] = 128,
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows the model is given at once.")] = 64,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the model; one a core by default.")] = None,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Batches that share the threads; one a thread by default, for a model that writes 1."),
    ] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="bfloat16 is faster where the processor has it, and rounds.")
    ] = "float32",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A Host header to answer besides; repeatable.")
    ] = None,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Texts in the log.")] = False,
) -> None:
    """Serve a registered model on 127.0.0.1: MLflow's scoring protocol, OpenAI's chat, a page to try it."""
    from luthier.serving.settings import Limits
    from pipelines.serving import serve_model, served_version

    limits = Limits(
        body_bytes=max_bytes,
        rows=max_rows,
        characters=max_characters,
        waiting=max_waiting,
        seconds=timeout,
        batch_rows=batch_rows,
    )
    resolved = home_recipes().get(recipe)
    serve_model(
        served_version(resolved.model_name, alias=alias, version=version),
        port=port,
        every=every,
        limits=limits,
        hosts=tuple(allow_host or ()),
        log_texts=log_texts,
        threads=threads,
        at_once=at_once,
        precision=precision,
        kept=resolved.recipe.serve,
        console=console,
    )
