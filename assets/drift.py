"""The check ``drift`` of cleaned_splits: whether new rows are like those that the champion was trained on."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.incumbent import registered_champion
from assets.materialization import table
from luthier.errors import LuthierError
from luthier.recipe.drift_section import DriftSection
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import MANIFEST, Artifact, ArtifactStore
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.data.drift import Difference, Drift

log = logging.getLogger("luthier.drift")

CHECK = dg.AssetCheckSpec(
    "drift",
    asset="cleaned_splits",
    description="Rows that the champion never saw are like those it was trained on: labels, lengths, embeddings.",
)


def drift_result(
    resolved: ResolvedRecipe, splits: Artifact, base_model: Artifact, artifacts: ArtifactStore, tracking: Tracking
) -> dg.AssetCheckResult:
    """Compares with the champion's splits, if there are any; whatever prevents it is said, and stops nothing."""
    try:
        registered = registered_champion(resolved.model_name, artifacts, tracking)
    except LuthierError as error:
        return result(False, f"MLflow was not reached, so nothing was compared: {error}")
    if registered is None:
        return result(True, "no champion to compare with")
    version = registered.version
    try:
        champion = champion_splits(registered.deployed or "", artifacts)
        if champion.digest == splits.digest:
            return result(
                True, f"version {version}, the champion, was made of these splits: no champion to compare with"
            )
        found = compared(resolved, splits, champion, base_model, artifacts)
    except LuthierError as error:
        return result(False, f"nothing was compared with version {version}, the champion: {error}")
    except Exception as error:
        log.exception("the drift could not be measured")
        return result(False, f"nothing was compared with version {version}: {type(error).__name__}: {error}")
    return described(found, resolved, version)


def champion_splits(digest: str, artifacts: ArtifactStore) -> Artifact:
    """The splits that a deployed artifact was trained on. Raises LuthierError when anything on the way is gone."""
    deployed = _inputs(artifacts, "deployed_artifact", digest)
    return artifacts.open("cleaned_splits", _inputs(artifacts, "adapter", deployed["adapter"])["cleaned_splits"])


def _inputs(artifacts: ArtifactStore, asset: str, digest: str) -> dict[str, Any]:
    """What an artifact was made from; its files, which may be many gigabytes, are not verified for that."""
    artifact = Artifact(asset, digest, artifacts.root / asset / digest)
    if not digest or not (artifact.folder / MANIFEST).is_file():
        raise LuthierError("what it was made of is not in this LUTHIER_HOME", where=asset, received=digest or None)
    return dict(artifact.manifest["inputs"])


def compared(
    resolved: ResolvedRecipe, splits: Artifact, champion: Artifact, base_model: Artifact, artifacts: ArtifactStore
) -> "Drift":
    """The drift between two splits: measured, or as it was measured before."""
    from luthier.data.drift import read_drift, write_drift

    aspects, most = aspects_of(resolved.recipe.drift), resolved.recipe.training.max_length
    inputs = {
        "cleaned_splits": splits.digest,
        "champion": champion.digest,
        "base_model": base_model.digest,
        "max_length": most,
        "aspects": aspects,
    }

    def write(folder: Path) -> None:
        write_drift(splits.folder, champion.folder, base_model.folder, folder, aspects=aspects, max_length=most)

    return read_drift(artifacts.obtain("drift", inputs, write).folder)


def aspects_of(drift: DriftSection) -> list[str]:
    """What a recipe has a threshold for."""
    from luthier.data.drift import ASPECTS

    return [aspect for aspect in ASPECTS if getattr(drift, aspect) is not None]


def described(
    found: "Drift", resolved: ResolvedRecipe, version: str, *, check: str = "drift", what: str = "new rows"
) -> dg.AssetCheckResult:
    """What was found of rows that are ``what``, as a person wants to see it in the UI."""
    from luthier.data.drift import TITLES

    thresholds = resolved.recipe.drift.model_dump()
    metadata: dict[str, Any] = {
        "champion": version,
        what: found.new_rows,
        "champion's training rows": found.champion_rows,
    }
    if not found.differences:
        none = f"the champion, version {version}, has seen every row" if not found.new_rows else "nothing is compared"
        return result(True, none, metadata, check=check)
    metadata["differences"] = table([_row(each, thresholds[each.aspect]) for each in found.differences])
    if found.examples:
        metadata[f"{what.removesuffix('rows')}texts least like the champion's"] = table(
            [{"text": text} for text in found.examples]
        )
    drifted = [each for each in found.differences if each.exceeds(thresholds[each.aspect])]
    named = "; ".join(
        f"{TITLES[each.aspect]} differ by {each.value:.2f}, more than {thresholds[each.aspect]:g} ({each.said})"
        for each in drifted
    )
    rows = f"{found.new_rows:,} {what}"
    like = f"{rows} are like those that version {version}, the champion, was trained on"
    unlike = f"{rows} are unlike those that version {version}, the champion, was trained on: {named}"
    return result(not drifted, unlike if drifted else like, metadata, check=check)


def _row(each: "Difference", threshold: float) -> dict[str, str]:
    measured = {"distance": "", "by chance": ""}
    if each.value is not None and each.chance is not None:
        measured = {"distance": f"{each.value:.3f}", "by chance": f"{each.chance:.1%}"}
    return {"what": each.aspect, **measured, "threshold": f"{threshold:g}", "seen": each.said}


def result(
    passed: bool, description: str, metadata: dict[str, Any] | None = None, *, check: str = "drift"
) -> dg.AssetCheckResult:
    """A warning, unless it passed."""
    return dg.AssetCheckResult(
        check_name=check,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata or {},
    )
