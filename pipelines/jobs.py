"""The jobs."""

import dagster as dg

from assets.partitions import recipe_partitions

finetune = dg.define_asset_job(
    "finetune",
    selection=dg.AssetSelection.all(),
    partitions_def=recipe_partitions,
    description="One recipe, from raw rows to a deployed model.",
)
