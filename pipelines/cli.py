"""The command line."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from luthier.errors import LuthierError
from luthier.recipe.problems import RecipeError
from resources.artifact_store import ArtifactStore
from resources.home import luthier_home, prepare_home, recipes_folder
from resources.recipe_book import RecipeBook, recipe_names

if TYPE_CHECKING:
    from pipelines.launch import Launch
    from resources.champion_history import ChampionChange

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Fine-tune by recipe."
)
recipe_app = typer.Typer(no_args_is_help=True, help="Look at recipes.")
app.add_typer(recipe_app, name="recipe")

console = Console(soft_wrap=True)
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name: its file without .yaml.")]
Overrides = Annotated[list[str], typer.Option("--set", metavar="FIELD=VALUE", help="For this launch; repeatable.")]


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


def _book() -> RecipeBook:
    return RecipeBook(folder=str(recipes_folder()))


def _artifacts() -> ArtifactStore:
    return ArtifactStore(home=str(luthier_home()))


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
    from resources.tracking import Tracking

    logging.basicConfig(format="%(message)s")
    logging.getLogger("luthier").setLevel(logging.INFO)
    with dg.DagsterInstance.get() as instance:
        ended = join_study(recipe, instance, _book(), _artifacts(), Tracking(home=str(luthier_home())))
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
    console.print(f"Failed. Look further: luthier ui, then http://127.0.0.1:3000/runs/{ended.run_id}")
    raise typer.Exit(1)


@app.command()
def report(
    recipe: RecipeName,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
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

    resolved = _book().get(recipe)
    with dg.DagsterInstance.get() as instance:
        if versus is not None:
            show_versus(resolved, versus, instance, _artifacts(), console, as_json=as_json, out=out, opened=opened)
            return
        result = newest_result(recipe, instance, _artifacts())
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
    elif as_markdown:
        print(result.as_markdown(), end="")
    else:
        print_result(resolved, result, console)
    if opened:
        open_page(result.page, console, silent=as_json or as_markdown)


@app.command()
def study(recipe: RecipeName, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show the newest study of a recipe: the best values, what was searched, every trial."""
    import dagster as dg

    from luthier.tuning.report import study_json
    from luthier.tuning.terminal import print_study
    from pipelines.results import newest_study

    _book().get(recipe)
    with dg.DagsterInstance.get() as instance:
        found, page = newest_study(recipe, instance)
    if as_json:
        print(json.dumps({**study_json(found), "best": found.best.number, "report": str(page)}, indent=2))
    else:
        print_study(found, console, page=page)


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
        resolved = _book().get(recipe)
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
    for answer in answers(_book().get(recipe).model_name, columns, version):
        if as_json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            console.print(printed(answer, list(columns)), markup=False, highlight=False)


@app.command()
def versions(
    recipe: RecipeName, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show what is registered of a recipe: aliases, scores, when and why; and who was champion before."""
    from pipelines.versions import Versions, print_versions
    from resources.tracking import Tracking

    found = Versions.of(_book().get(recipe).model_name, Tracking(home=str(luthier_home())))
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
    from resources.tracking import Tracking

    model, tracking = _book().get(recipe).model_name, Tracking(home=str(luthier_home()))
    change = promoted(model, version, reason=reason, force=force, artifacts=_artifacts(), tracking=tracking)
    _print_change(model, change)


@app.command()
def rollback(
    recipe: RecipeName,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="By default the champion before.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="For the history.")] = None,
) -> None:
    """Make an earlier version of a recipe the champion again."""
    from pipelines.versions import roll_back
    from resources.tracking import Tracking

    model, tracking = _book().get(recipe).model_name, Tracking(home=str(luthier_home()))
    _print_change(model, roll_back(model, to, reason=reason, tracking=tracking))


def _print_change(model: str, change: "ChampionChange") -> None:
    before = f"; before it was version {change.before}" if change.before else ""
    console.print(f"{model} version {change.version} is the champion{before}.", markup=False, highlight=False)


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
    resolved = _book().get(recipe)
    serve_model(
        served_version(resolved.model_name, alias=alias, version=version),
        port=port,
        every=every,
        limits=limits,
        hosts=tuple(allow_host or ()),
        log_texts=log_texts,
        threads=threads,
        precision=precision,
        kept=resolved.recipe.serve,
        console=console,
    )


@app.command()
def ui(
    dagster_port: Annotated[int, typer.Option(help="Port of the Dagster page.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow page.")] = 5000,
) -> None:
    """Serve the Dagster and MLflow pages on 127.0.0.1 until Ctrl-C."""
    from pipelines.servers import require_free, serve

    for port in (dagster_port, mlflow_port):
        require_free(port)
    raise typer.Exit(serve(luthier_home(), dagster_port=dagster_port, mlflow_port=mlflow_port, console=console))


@app.command()
def sync() -> None:
    """Send MLflow what it missed, and close runs whose process is gone."""
    import dagster as dg

    from resources.tracking import Tracking

    tracking = Tracking(home=str(luthier_home()))
    with dg.DagsterInstance.get() as instance:
        closed = tracking.reconcile(instance)
    # What is still kept now is what could not be sent.
    left = tracking.sync_all()
    console.print(f"{len(closed)} runs closed; {len(left.kept)} journals still to be sent", highlight=False)
    if left.kept:
        raise LuthierError(
            "MLflow has not received everything", received=left.problem, remedy="start it, then sync again"
        )


@app.command()
def doctor() -> None:
    """Say what this machine has, what is wrong, and the remedy."""
    from pipelines.doctor import examine

    findings = list(examine())
    for finding in findings:
        mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
        remedy = f"  [red]{finding.remedy}[/]" if finding.remedy else ""
        console.print(f"{mark} {finding.what:<22} {finding.found}{remedy}", highlight=False)
    raise typer.Exit(1 if any(finding.remedy for finding in findings) else 0)


@recipe_app.command("list")
def list_recipes() -> None:
    """Name every recipe, with what its first comment says."""
    for name in recipe_names(recipes_folder()):
        first = (recipes_folder() / f"{name}.yaml").read_text().partition("\n")[0]
        console.print(
            f"{name:<16} {first.lstrip('# ') if first.startswith('#') else ''}", markup=False, highlight=False
        )


@recipe_app.command()
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


@recipe_app.command()
def show(recipe: RecipeName, overrides: Overrides = []) -> None:  # noqa: B006 (typer reads it)
    """Print the resolved recipe, with where each value came from."""
    resolved = RecipeBook(folder=str(recipes_folder()), overrides=overrides).get(recipe)
    table = Table(box=None, pad_edge=False)
    for heading in ("field", "value", "origin"):
        table.add_column(heading, overflow="fold")
    for name, value in resolved.flat().items():
        table.add_row(name, json.dumps(value, ensure_ascii=False), resolved.origins[name])
    console.print(table)


@recipe_app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from luthier.recipe.json_schema import recipe_json_schema

    print(json.dumps(recipe_json_schema(), indent=2))
