"""method_comparison: one recipe's rows, every method it allows, several seeds: what each scores and costs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.adapter import deciding_versions
from assets.compared_training import Trainings, trainings
from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from luthier.errors import LuthierError
from luthier.recipe.resolving import flatten
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking
from resources.tracking_run import TrackedRun

if TYPE_CHECKING:
    from luthier.comparison.comparison import MethodComparison, MethodResult, SeedResult
    from luthier.comparison.contenders import Contender


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"pytorch", "huggingface"},
    pool="training",
)
def method_comparison(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """Every method that the recipe allows, trained with several seeds: validation scores with intervals, and costs."""
    from luthier.comparison.report import write_comparison
    from luthier.training.hyperparameters import suited_to_base

    with mistakes_explained():
        resolved = suited_to_base(recipes.get(context.partition_key), base_model.facts)
        shared = trainings(resolved, cleaned_splits, base_model, quantized_model, artifacts)
        comparison = compare(shared, tracking, context)
        artifact = artifacts.obtain(
            "method_comparison",
            identity(comparison),
            lambda folder: write_comparison(comparison, folder),
            record={"dagster_run_id": context.run_id},
        )
    with tracking.parent(context.run_id, resolved.name) as parent:
        parent.log_params(resolved.flat())
        parent.log_text(resolved.as_yaml(), "recipe.yaml")
        parent.set_tags({"luthier.method_comparison": artifact.digest, "luthier.best_method": comparison.best.kind})
        parent.rename(f"{resolved.name} · comparison · {comparison.best.kind}")
        parent.log_artifact(artifact.folder / "comparison.html")
        return described(artifact, parent.link())


def compare(shared: Trainings, tracking: Tracking, context: dg.AssetExecutionContext) -> "MethodComparison":
    """Trains every method with every seed, or finds what was trained before.

    Raises:
        LuthierError: no method could be trained.
    """
    from luthier.comparison.comparison import MethodComparison
    from luthier.comparison.contenders import contenders, left_out
    from luthier.training.hyperparameters import architecture_of_base

    recipe, base, splits = shared.resolved.recipe, shared.base_model, shared.cleaned_splits
    family, head, architecture = base.facts["family"], shared.tuning.head.kind, architecture_of_base(base.facts)
    tried = contenders(recipe, family=family, architecture=architecture, head=head)
    out = left_out(recipe, family=family, head=head)
    methods = []
    for place, contender in enumerate(tried, start=1):
        context.log.info(f"{contender.kind}, method {place} of {len(tried)}")
        methods.append(trained(contender, shared, tracking, context))
    failures = {found.kind: found.failure for found in methods if found.failure} | out
    if len(failures) == len(methods) + len(out):
        reasons = "\n".join(f"{kind}: {failure}" for kind, failure in failures.items())
        remedy = "mend what the first one says, or name other methods in comparison.methods"
        raise LuthierError(f"no method could be trained:\n{reasons}", where=f"recipe {recipe.name}", remedy=remedy)
    return MethodComparison(
        recipe=recipe.name,
        task=recipe.task,
        own=recipe.method.kind,
        metric=recipe.evaluation.metric,
        confidence=recipe.evaluation.confidence,
        family=family,
        architecture=architecture,
        seeds=tuple(recipe.comparison.seeds),
        rows={split: splits.facts["rows"][split] for split in ("train", "validation")},
        methods=tuple(methods),
        left_out=out,
        digests={"cleaned_splits": splits.digest, "base_model": base.digest},
        versions=deciding_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def trained(
    contender: "Contender", shared: Trainings, tracking: Tracking, context: dg.AssetExecutionContext
) -> "MethodResult":
    """A method over all seeds, in an MLflow run of its own; what stops one of its trainings is its failure."""
    from luthier.comparison.comparison import MethodResult

    result = MethodResult(
        contender.kind, contender.method.model_dump(mode="json"), contender.training.model_dump(mode="json")
    )
    seeds, found = shared.resolved.recipe.comparison.seeds, list["SeedResult"]()
    try:
        with tracking.run(
            asset="method_comparison",
            name=contender.kind,
            dagster_run_id=context.run_id,
            recipe=shared.resolved.name,
            tags={"luthier.method": contender.kind},
        ) as run:
            run.log_params(dict(flatten({"method": result.method, "training": result.training})))
            for seed in seeds:
                found.append(shared.obtain(contender, seed, on_metrics=partial(log_progress, run, seed)))
            result = replace(result, seeds=tuple(found))
            log_result(run, result, shared.tuning.metric)
    except (LuthierError, RuntimeError) as error:
        # Raised where a training was made; the other methods go on.
        context.log.warning(f"{contender.kind} failed: {error}")
        return replace(result, failure=f"seed {seeds[len(found)]}: {error}")
    return result


def log_progress(run: TrackedRun, seed: int, values: Mapping[str, float], step: int) -> None:
    """What a training reports while it goes on, by seed."""
    run.log_metrics({f"seed_{seed}/{name}": value for name, value in values.items()}, step=step)


def log_result(run: TrackedRun, result: "MethodResult", metric: str) -> None:
    """The scores by seed, their mean, and the costs."""
    for step, found in enumerate(result.seeds):
        run.log_metrics({f"validation_{metric}": found.score.value}, step=step)
    run.log_metrics(
        {
            f"mean_{metric}": result.score.value,
            f"mean_{metric}_low": result.score.low,
            f"mean_{metric}_high": result.score.high,
            "trainable_parameters": result.trainable_parameters,
            "trainable_share": result.trainable_share,
            "peak_memory": result.peak_memory,
            "file_bytes": result.file_bytes,
            "rows_per_second": result.rows_per_second,
            "training_seconds": result.training_seconds,
            "inference_seconds_1000_rows": result.inference_seconds,
        }
    )


def identity(comparison: "MethodComparison") -> dict[str, Any]:
    """What a comparison's files follow from."""
    return {
        "recipe": comparison.recipe,
        "own": comparison.own,
        "trainings": {method.kind: [found.digest for found in method.seeds] for method in comparison.methods},
        "failed": comparison.failed,
        "left_out": comparison.left_out,
    }


def described(artifact: Artifact, link: dg.MetadataValue) -> dg.MaterializeResult:
    """The comparison as a person wants to see it in the UI."""
    from luthier.comparison.report import read_comparison, table_rows
    from luthier.comparison.wording import expectation_sentences, headline, tie_sentence

    comparison = read_comparison(artifact.folder)
    metadata = {
        "summary": " ".join(filter(None, [headline(comparison), tie_sentence(comparison)])),
        "methods": table(table_rows(comparison)),
        "literature": " ".join(expectation_sentences(comparison)),
        "not compared": dg.MetadataValue.json({**comparison.failed, **comparison.left_out}),
        "parameters": picture((artifact.folder / "parameters.png").read_bytes(), "scores against trained parameters"),
        "memory": picture((artifact.folder / "memory.png").read_bytes(), "scores against peak memory"),
        "report": dg.MetadataValue.path(artifact.folder / "comparison.html"),
        "MLflow run": link,
    }
    return materialized(artifact, metadata)
