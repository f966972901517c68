"""The jobs."""

import dagster as dg

from assets.partitions import recipe_partitions

COMPARED = dg.AssetSelection.assets("method_comparison")
TUNED = dg.AssetSelection.assets("tuning_study")
FINETUNED = dg.AssetSelection.all() - COMPARED - TUNED

finetune = dg.define_asset_job(
    "finetune",
    selection=FINETUNED,
    partitions_def=recipe_partitions,
    description="One recipe, from raw rows to a deployed model.",
)
retune = dg.define_asset_job(
    "retune",
    selection=TUNED.downstream(),
    partitions_def=recipe_partitions,
    description="One round of tuning for a recipe, and a training with what it found.",
)
compare_methods = dg.define_asset_job(
    "compare_methods",
    selection=COMPARED.upstream(),
    partitions_def=recipe_partitions,
    description="One recipe's rows, trained with every method that it allows.",
)
