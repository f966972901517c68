"""The jobs."""

import dagster as dg

from assets.partitions import recipe_partitions

COMPARED = dg.AssetSelection.assets("method_comparison")
FINETUNED = dg.AssetSelection.all() - COMPARED

finetune = dg.define_asset_job(
    "finetune",
    selection=FINETUNED,
    partitions_def=recipe_partitions,
    description="One recipe, from raw rows to a deployed model.",
)
compare_methods = dg.define_asset_job(
    "compare_methods",
    selection=COMPARED.upstream(),
    partitions_def=recipe_partitions,
    description="One recipe's rows, trained with every method that it allows.",
)
