"""raw_data: the source as it was read."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained, table
from assets.partitions import recipe_partitions
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"parquet"})
def raw_data(
    context: dg.AssetExecutionContext, recipes: RecipeBook, artifacts: dg.ResourceParam[ArtifactStore]
) -> dg.MaterializeResult:
    """The source as it was read: rows, schema, fingerprint and provenance."""
    from luthier.data.raw import preview, write_raw_data
    from luthier.sources import fetch

    with mistakes_explained():
        data = recipes.get(context.partition_key).recipe.data
        fetched = fetch(data.source, downloads=artifacts.downloads, root=recipes.root, sha256=data.sha256)
        columns = sorted(data.required_columns)
        artifact = artifacts.obtain(
            "raw_data",
            {"fingerprint": fetched.fingerprint, "columns": columns},
            lambda folder: write_raw_data(fetched, folder, required_columns=columns),
        )
    facts = artifact.facts
    return materialized(
        artifact,
        {
            "dagster/row_count": facts["rows"],
            "rejected rows": facts["rejected"],
            "source": facts["source"],
            "fingerprint": facts["fingerprint"],
            "provenance": dg.MetadataValue.json(facts["provenance"]),
            "preview": table(preview(artifact.folder)),
        },
    )
