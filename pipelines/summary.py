"""The end of a run, in a few lines."""

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from luthier.recipe.resolving import LAUNCH, ResolvedRecipe
from pipelines.home_resources import home_artifacts
from pipelines.launch import Launch
from pipelines.results import Result, newest_result


def print_summary(resolved: ResolvedRecipe, ended: Launch, console: Console) -> None:
    """What the run came to, how long it took, and what to do next."""
    with dg.DagsterInstance.get() as instance:
        result = newest_result(resolved.name, instance, home_artifacts())
    print_result(resolved, result, console)
    minutes, seconds = divmod(round(ended.seconds), 60)
    share = f"of which {ended.overhead:.0%} is not library work" if ended.overhead < 1 else "everything reused"
    console.print(f"Time      {minutes}:{seconds:02d}, {share}", highlight=False)
    console.print("\nLook further:   make ui", highlight=False)
    if result.report.can_be_tuned:
        as_written = LAUNCH not in resolved.origins.values()
        by_itself = ", which make ui does by itself" if resolved.recipe.tuning.automatic and as_written else ""
        console.print(f"Tune it:        luthier tune {resolved.name}{by_itself}", markup=False, highlight=False)
    if result.model_alias == "challenger":
        console.print(f"Make it champion:  luthier promote {resolved.name}", markup=False, highlight=False)
    elif result.model_version:
        example = f'luthier predict {resolved.name} "..."'
        console.print(f"Ask the model:  {example}", markup=False, highlight=False)


def print_result(resolved: ResolvedRecipe, result: Result, console: Console) -> None:
    """The verdict, the scores beside the baselines, what was registered and where the report lies."""
    from luthier.evaluation.evaluated import TUNED
    from luthier.evaluation.next_step import next_step_sentence
    from luthier.evaluation.wording import (
        champion_sentence,
        reads_sentence,
        scope_sentences,
        score_texts,
        verdict_sentence,
    )

    report = result.report
    console.print(f"\n[bold]{resolved.name}[/]  {escape(verdict_sentence(report))}\n", highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column(f"test {report.metric}")
    table.add_column("", justify="right")
    table.add_column(f"{report.confidence * 100:g} % interval", justify="right")
    for name, score in report.beside_baselines.items():
        style = "bold" if name == TUNED else None
        table.add_row(name, *score_texts(report, report.metric, score), style=style)
    console.print(table)
    for sentence in filter(None, [*scope_sentences(report), champion_sentence(report), reads_sentence(report)]):
        console.print(sentence, highlight=False, markup=False)
    console.print(f"\nNext      {next_step_sentence(report)}", highlight=False, markup=False)
    trained = f"{report.trainable_parameters:,} parameters"
    console.print(f"Trained   {trained} on {report.rows['train']:,} rows", highlight=False)
    registered = f"{resolved.model_name} version {result.model_version}, alias {result.model_alias}"
    console.print(f"Model     {registered if result.model_version else 'not deployed'}", highlight=False)
    console.print(f"Report    {result.page}", highlight=False, markup=False)
