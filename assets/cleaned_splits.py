"""cleaned_splits: train, validation and test without leaks, and the rejected rows with a reason each."""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.base_model import snapshot
from assets.drift import CHECK as DRIFT
from assets.drift import drift_result
from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from assets.served_drift import CHECK as SERVED_DRIFT
from assets.served_drift import served_drift_result
from assets.split_checks import CHECKS, check_results, reason_table
from luthier.data.splitting import SPLITS
from luthier.recipe.resolving import ResolvedRecipe
from luthier.recipe.schema import BaseModelSection, Recipe
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.data_report.report import DataReport

# Decided by raw_data, or by no row at all.
NOT_OF_ROWS = {"source", "train", "validation", "test", "watch", "sha256", "query", "format", "pattern"}


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"parquet"},
    check_specs=[*CHECKS, DRIFT, SERVED_DRIFT],
)
def cleaned_splits(
    context: dg.AssetExecutionContext,
    raw_data: Artifact,
    base_model: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """Train, validation and test after cleaning and leak-safe splitting; the rejected rows with a reason each."""
    from luthier.data_report.report import read_data_report

    with mistakes_explained():
        resolved = recipes.get(context.partition_key)
        splits = divided(resolved.recipe, raw_data, base_model, recipes, artifacts)
        page = reported(resolved, splits, base_model, artifacts)
        checks = [
            *check_results(read_data_report(page.folder), splits.folder, resolved.recipe.data.cleaning.max_rejected),
            drift_result(resolved, splits, base_model, artifacts, tracking),
            served_drift_result(resolved, base_model, artifacts, tracking),
        ]
    return described(splits, page, checks)


def divided(
    recipe: Recipe, raw_data: Artifact, base_model: Artifact, recipes: RecipeBook, artifacts: ArtifactStore
) -> Artifact:
    """The splits; the base model decides about them only where tokens are counted or words replaced with it."""
    from luthier.data.augmentation import FillMasks
    from luthier.data.clean_table import TokenLimit
    from luthier.data.splits import write_cleaned_splits
    from luthier.models.tokenizer import count_tokens

    data, most = recipe.data, recipe.training.max_length
    inputs: dict[str, Any] = {"raw_data": raw_data.digest, "data": data.model_dump(mode="json", exclude=NOT_OF_ROWS)}
    limit: TokenLimit | None = None
    fill_masks: FillMasks | None = None
    if data.cleaning.over_long != "truncate":
        inputs["tokens"] = [base_model.digest, most]
        limit = TokenLimit(partial(count_tokens, base_model.folder), most)
    if "mask" in data.augmentation.kinds and data.augmentation.below:
        from luthier.models.masked_language_model import load_fill_masks

        named = data.augmentation.model
        model = snapshot(BaseModelSection(source=named), recipes, artifacts) if named else base_model
        inputs["masks"] = model.digest
        # Loaded when the first word is replaced: with rows enough none is.
        load = cache(partial(load_fill_masks, model.folder, seed=data.split.seed))

        def fill(texts: Sequence[str], words: Sequence[Sequence[int]]) -> list[str]:
            return load()(texts, words)

        fill_masks = fill

    return artifacts.obtain(
        "cleaned_splits",
        inputs,
        lambda folder: write_cleaned_splits(raw_data.folder, folder, data, limit=limit, fill_masks=fill_masks),
    )


def reported(resolved: ResolvedRecipe, splits: Artifact, base_model: Artifact, artifacts: ArtifactStore) -> Artifact:
    """The data report: leaks between the splits as they were written, token lengths, the page."""
    from luthier.data.leakage import find_leaks
    from luthier.data_report.lengths import token_lengths
    from luthier.data_report.report import data_report, write_data_report

    most = resolved.recipe.training.max_length
    sources = resolved.recipe.data.uris

    def write(folder: Path) -> None:
        report = data_report(
            splits.folder,
            recipe=resolved.name,
            sources=sources,
            fingerprint=splits.digest,
            lengths=token_lengths(splits.folder, base_model.folder, max_length=most),
            max_length=most,
            leaks=find_leaks(splits.folder).as_json(),
        )
        write_data_report(report, folder)

    inputs = {
        "cleaned_splits": splits.digest,
        "base_model": base_model.digest,
        "max_length": most,
        "recipe": resolved.name,
        "sources": sources,
    }
    return artifacts.obtain("data_report", inputs, write)


def described(splits: Artifact, page: Artifact, checks: Sequence[dg.AssetCheckResult]) -> dg.MaterializeResult:
    """The splits as a person wants to see them in the UI, with the checks."""
    from luthier.data_report.report import read_data_report
    from luthier.data_report.wording import nearest_sentence, truncation_sentence, verdict_sentence

    report = read_data_report(page.folder)
    rows = report.rows
    return materialized(
        splits,
        {
            **{f"{split} rows": rows[split] for split in SPLITS},
            "leaks": verdict_sentence(report),
            "splits by label": table(split_table(report)),
            "lengths": picture((page.folder / "lengths.png").read_bytes(), "rows by tokens, with the truncation line"),
            "truncation": truncation_sentence(report),
            "rejected rows": rows["rejected"],
            "duplicate rows": rows["duplicates"],
            "rejected by reason": table(reason_table(report)),
            "nearest pair across splits": nearest_sentence(report),
            "nearest texts": table(nearest_table(report)),
            "augmentation": report.facts["augmentation"]["why"],
            "preview": table(
                [{"split": s, "text": p.text, "label": p.label} for s, rows in report.previews.items() for p in rows]
            ),
            "report": dg.MetadataValue.path(page.folder / "report.html"),
        },
        checks=checks,
    )


def split_table(report: "DataReport") -> list[dict[str, Any]]:
    """Rows by label and split, all rows last."""
    balance = report.facts["balance"]
    by_label = [{"label": label, **{split: balance[split][label] for split in SPLITS}} for label in report.labels]
    return [*by_label, {"label": "all", **{split: report.rows[split] for split in SPLITS}}]


def nearest_table(report: "DataReport") -> list[dict[str, Any]]:
    """The two texts that are most alike across splits."""
    nearest = report.leaks["nearest"]
    if nearest is None:
        return [{"split": "", "text": "no two texts were alike enough to be compared"}]
    return [{"split": nearest[f"split_{side}"], "text": nearest[f"text_{side}"]} for side in ("a", "b")]
