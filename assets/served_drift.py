"""The check ``served_drift`` of cleaned_splits: whether the champion is asked what it was trained on."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.drift import aspects_of, champion_splits, described, result
from assets.incumbent import registered_champion
from luthier.digest import digest_of
from luthier.errors import LuthierError
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.data.drift import Drift

log = logging.getLogger("luthier.drift")

CHECK = dg.AssetCheckSpec(
    "served_drift",
    asset="cleaned_splits",
    description="Rows that the champion was asked while it served are like those it was trained on.",
)

said = partial(result, check="served_drift")


def served_drift_result(
    resolved: ResolvedRecipe, base_model: Artifact, artifacts: ArtifactStore, tracking: Tracking
) -> dg.AssetCheckResult:
    """Compares what serve.log_predictions kept; whatever prevents it is said, and stops nothing."""
    from luthier.sources.predictions import logged_files

    try:
        files = logged_files(artifacts.predictions / resolved.model_name)
        if not files:
            return said(True, "nothing was logged: serve.log_predictions keeps a share of what the model is asked")
        registered = registered_champion(resolved.model_name, artifacts, tracking)
        if registered is None:
            return said(True, "no champion to compare with")
        champion = champion_splits(registered.deployed or "", artifacts)
        found = compared(resolved, files, registered.version, champion, base_model, artifacts)
    except LuthierError as error:
        return said(False, f"nothing was compared: {error}")
    except Exception as error:
        log.exception("the drift of served rows could not be measured")
        return said(False, f"nothing was compared: {type(error).__name__}: {error}")
    if not found.new_rows:
        return said(True, f"version {registered.version}, the champion, has answered none of the logged rows")
    return described(found, resolved, registered.version, check="served_drift", what="served rows")


def compared(
    resolved: ResolvedRecipe,
    files: Sequence[Path],
    version: str,
    champion: Artifact,
    base_model: Artifact,
    artifacts: ArtifactStore,
) -> "Drift":
    """The drift of the newest rows that the champion answered: measured, or as it was measured before."""
    from luthier.data.drift import read_drift, write_served_drift
    from luthier.data.input_cleaning import InputCleaning
    from luthier.data.served_rows import served_rows

    recipe = resolved.recipe
    aspects, most = aspects_of(recipe.drift), recipe.training.max_length
    inputs = {
        # Files of a log never change, and bear the time at which they were written in their names.
        "served": digest_of([[path.name, path.stat().st_size] for path in files]),
        "model": [resolved.model_name, version],
        "served_rows": recipe.drift.served_rows,
        "champion": champion.digest,
        "base_model": base_model.digest,
        "max_length": most,
        "aspects": aspects,
    }

    def write(folder: Path) -> None:
        cleaning = InputCleaning.of_splits(champion.manifest["inputs"]["data"])
        rows = served_rows(files, version, cleaning, most=recipe.drift.served_rows)
        write_served_drift(rows, champion.folder, base_model.folder, folder, aspects=aspects, max_length=most)

    return read_drift(artifacts.obtain("drift", inputs, write).folder)
