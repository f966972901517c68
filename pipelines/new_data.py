"""Starts a run when the sources of a recipe have new content that has come to rest."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from assets.partitions import recipe_partitions
from luthier.digest import digest_of
from luthier.errors import LuthierError
from luthier.recipe.positions import read_document
from luthier.sources import Access
from pipelines.jobs import finetune
from pipelines.launched_runs import triggered, unfinished_run
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook, recipe_names
from resources.source_access import source_access
from resources.source_watch import source_fingerprints

log = logging.getLogger("luthier.new_data")

RAW_DATA = dg.AssetKey("raw_data")


@dataclass(frozen=True)
class Materialized:
    """The newest raw_data of a recipe: which materialization, and the split and fingerprint of each source."""

    record: int
    sources: list[tuple[str, str]]


@dataclass(frozen=True)
class Look:
    """What one look at a recipe's sources came to. ``memory`` is for the next look."""

    said: str
    memory: dict[str, Any]
    request: dg.RunRequest | None = None


@dg.sensor(job=finetune, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def new_data(
    context: dg.SensorEvaluationContext, recipes: RecipeBook, artifacts: dg.ResourceParam[ArtifactStore]
) -> dg.SensorResult:
    """Fine-tunes recipes with data.watch when their sources have changed and were the same at two looks in a row."""
    memories = json.loads(context.cursor or "{}")
    looks: dict[str, Look] = {}
    for name in watched(recipes):
        memory = memories.get(name, {})
        try:
            looks[name] = look(context.instance, name, recipes, source_access(recipes, artifacts), memory)
        except LuthierError as error:
            looks[name] = Look(str(error), {"still": memory.get("still", {})})
        except Exception as error:
            log.exception("%s: its sources could not be looked at", name)
            looks[name] = Look(f"{type(error).__name__}, see the log", {})
    requests = [found.request for found in looks.values() if found.request]
    said = "; ".join(f"{name}: {found.said}" for name, found in looks.items())
    if requests:
        context.log.info(said)
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else said or "no recipe has data.watch: true",
        cursor=json.dumps({name: found.memory for name, found in looks.items()}),
    )


def watched(recipes: RecipeBook) -> list[str]:
    """The recipes that opt in, and those that cannot be read, which is said when they are looked at."""
    known = set(recipe_partitions.get_partition_keys())
    return [name for name in recipe_names(Path(recipes.folder)) if name in known and _opts_in(recipes.path(name))]


def look(
    instance: dg.DagsterInstance, name: str, recipes: RecipeBook, access: Access, memory: Mapping[str, Any]
) -> Look:
    """Whether the content of a recipe's sources asks for a run. Raises LuthierError."""
    data = recipes.get(name).recipe.data
    made = materialized_sources(instance, name)
    if made is None:
        return Look("nothing to compare with: raw_data was never materialized", {})
    found, still = source_fingerprints(data, access, memory.get("still", {}))
    if found == made.sources:
        return Look("unchanged", {"still": still})
    content = digest_of(found)
    after = {"still": still, "seen": content}
    if memory.get("seen") != content:
        return Look("changed; a run starts when the next look finds the same", after)
    if busy := unfinished_run(instance, name):
        return Look(f"changed; run {busy.run_id[:8]} of it is queued or under way", after)
    # The materialization is part of the key, so that content which comes back later is new again.
    key = f"new data {name} {made.record} {content[:32]}"
    for tried in instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": key}), limit=1):
        return Look(f"changed; run {tried.run_id[:8]} was started for this content ({tried.status.value})", after)
    request = dg.RunRequest(run_key=key, partition_key=name, tags=triggered("new data"))
    return Look("changed and at rest: a run starts", after, request)


def materialized_sources(instance: dg.DagsterInstance, name: str) -> Materialized | None:
    """What the newest raw_data of a recipe was read from."""
    recorded = dg.AssetRecordsFilter(asset_key=RAW_DATA, asset_partitions=[name])
    for record in instance.fetch_materializations(recorded, limit=1).records:
        made = record.asset_materialization
        table = made.metadata.get("sources") if made else None
        if isinstance(table, dg.TableMetadataValue):
            rows = [each.data for each in table.records]
            return Materialized(record.storage_id, [(str(row["split"]), str(row["fingerprint"])) for row in rows])
    return None


def _opts_in(path: Path) -> bool:
    try:
        data = read_document(path).values.get("data")
    except LuthierError:
        return True
    return isinstance(data, dict) and data.get("watch") is not None and data["watch"] is not False
