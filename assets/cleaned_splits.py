"""cleaned_splits: train, validation and test without leaks, and the rejected rows with a reason each."""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook

CHECKS = [
    dg.AssetCheckSpec("no_leakage", asset="cleaned_splits", blocking=True, description="No text is in two splits."),
    dg.AssetCheckSpec("splits_not_empty", asset="cleaned_splits", blocking=True, description="Every split has rows."),
    dg.AssetCheckSpec(
        "labels_complete",
        asset="cleaned_splits",
        blocking=True,
        description="Every split has every label, no row lacks one.",
    ),
]


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"parquet"},
    check_specs=CHECKS,
)
def cleaned_splits(
    context: dg.AssetExecutionContext,
    raw_data: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
) -> dg.MaterializeResult:
    """Train, validation and test after cleaning and leak-safe splitting; the rejected rows with a reason each."""
    from luthier.data.splits import preview, write_cleaned_splits
    from luthier.evaluation.plots import label_balance

    with mistakes_explained():
        data = recipes.get(context.partition_key).recipe.data
        artifact = artifacts.obtain(
            "cleaned_splits",
            {"raw_data": raw_data.digest, "data": data.model_dump(mode="json", exclude={"source", "sha256"})},
            lambda folder: write_cleaned_splits(raw_data.folder, folder, data),
        )
    facts = artifact.facts
    return materialized(
        artifact,
        {
            **{f"{split} rows": rows for split, rows in facts["rows"].items()},
            "labels": ", ".join(facts["labels"]),
            "label balance": picture(label_balance(facts["balance"]), "rows by split and label"),
            "rejected by reason": dg.MetadataValue.json(facts["rejected_by_reason"]),
            "preview": table(preview(artifact.folder)),
        },
        checks=[
            leakage_result(artifact.folder),
            splits_result(facts["rows"]),
            labels_result(artifact.folder),
        ],
    )


def leakage_result(splits: Path) -> dg.AssetCheckResult:
    """Fails with examples when a text, exact or normalised, is in two splits."""
    from luthier.data.leakage import leaks

    found = leaks(splits)
    metadata: dict[str, Any] = {"leaks": len(found)}
    if found:
        examples = [
            {"kind": leak.kind, leak.split_a: leak.text_a, "also in": leak.split_b, "as": leak.text_b} for leak in found
        ]
        metadata["examples"] = table(examples[:20])
    return dg.AssetCheckResult(check_name="no_leakage", passed=not found, metadata=metadata)


def splits_result(rows: dict[str, int]) -> dg.AssetCheckResult:
    """Fails when a split has no rows."""
    counts = {split: rows[split] for split in ("train", "validation", "test")}
    return dg.AssetCheckResult(check_name="splits_not_empty", passed=all(counts.values()), metadata=counts)


def labels_result(splits: Path) -> dg.AssetCheckResult:
    """Fails when a split lacks a label, or a row has none."""
    from luthier.data.leakage import labels_complete

    problems = labels_complete(splits)
    return dg.AssetCheckResult(
        check_name="labels_complete", passed=not problems, metadata={"problems": dg.MetadataValue.json(problems)}
    )
