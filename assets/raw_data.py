"""raw_data: the source as it was read."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained, table
from assets.partitions import recipe_partitions
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook
from resources.source_access import fetch_data, source_access


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"parquet"})
def raw_data(
    context: dg.AssetExecutionContext, recipes: RecipeBook, artifacts: dg.ResourceParam[ArtifactStore]
) -> dg.MaterializeResult:
    """The source as it was read: rows, schema, fingerprint and provenance."""
    from luthier.data.raw import preview, write_raw_data
    from luthier.data.reading import form_of

    with mistakes_explained():
        data = recipes.get(context.partition_key).recipe.data
        sources = fetch_data(data, source_access(recipes, artifacts))
        columns = sorted(data.columns.required)
        artifact = artifacts.obtain(
            "raw_data",
            {
                "sources": [[source.split, source.fetched.fingerprint] for source in sources],
                "columns": columns,
                "forms": [form_of(path, data.format) for source in sources for path in source.files.values()],
                "pattern": data.pattern,
            },
            lambda folder: write_raw_data(
                sources, folder, required_columns=columns, form=data.format, pattern=data.pattern
            ),
        )
    facts = artifact.facts
    return materialized(
        artifact,
        {
            "dagster/row_count": facts["rows"],
            "rejected rows": facts["rejected"],
            "sources": table(
                [{"source": s["uri"], "split": s["split"], "fingerprint": s["fingerprint"]} for s in facts["sources"]]
            ),
            "provenance": dg.MetadataValue.json([source["provenance"] for source in facts["sources"]]),
            "preview": table(preview(artifact.folder)),
        },
    )
