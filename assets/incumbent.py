"""The registered champion that a new model of a recipe is held against."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.errors import LuthierError
from resources.artifact_store import Artifact, ArtifactStore
from resources.tracking import ADAPTER_TAG, DIGEST_TAG, REPORT_TAG, Tracking

if TYPE_CHECKING:
    from luthier.evaluation.champion import Champion
    from luthier.evaluation.promotion import Incumbent

UNKNOWN = "it was not registered by Luthier, so nobody knows what it was trained on"


@dataclass(frozen=True)
class RegisteredChampion:
    """A version and what its tags say: the artifact ``deployed``, made of ``adapter`` because of ``report``."""

    model: str
    version: str
    deployed: str | None
    adapter: str | None
    report: str | None

    @property
    def digest(self) -> str:
        """What it is, whichever number it has."""
        return self.deployed or f"{self.model} version {self.version}"

    @property
    def incumbent(self) -> "Incumbent":
        """As a decision needs it."""
        from luthier.evaluation.promotion import Incumbent

        return Incumbent(self.version, self.digest, self.adapter)

    def opened(self, artifacts: ArtifactStore) -> "Champion":
        """As an evaluation needs it; what cannot be asked says why."""
        from luthier.evaluation.champion import Champion
        from resources.package import load_served

        if self.deployed is None or self.adapter is None:
            return Champion(self.model, self.version, self.digest, obstacle=UNKNOWN)
        try:
            package = artifacts.open("deployed_artifact", self.deployed).folder / "package"
            seen = tuple(splits_before(artifacts.open("adapter", self.adapter), artifacts))
        except LuthierError as error:
            return Champion(self.model, self.version, self.digest, obstacle=f"{error.what} ({error.where})")
        return Champion(self.model, self.version, self.digest, load=lambda: load_served(package), seen=seen)


def registered_champion(model: str, artifacts: ArtifactStore, tracking: Tracking) -> RegisteredChampion | None:
    """The champion of a registered model, if it has one. Raises LuthierError: MLflow does not answer."""
    version = tracking.champion(model)
    return None if version is None else registered_version(model, version, artifacts, tracking)


def registered_version(model: str, version: str, artifacts: ArtifactStore, tracking: Tracking) -> RegisteredChampion:
    """A version, whose older kinds have no tag but that of the artifact."""
    tags = tracking.version_tags(model, version)
    deployed = tags.get(DIGEST_TAG)
    made_of: Mapping[str, Any] = {}
    if deployed is not None and ADAPTER_TAG not in tags:
        try:
            made_of = artifacts.open("deployed_artifact", deployed).manifest["inputs"]
        except LuthierError:
            # Without its manifest, all that is known is the tag.
            made_of = {}
    adapter, report = (
        tags.get(tag) or made_of.get(name)
        for tag, name in ((ADAPTER_TAG, "adapter"), (REPORT_TAG, "evaluation_report"))
    )
    return RegisteredChampion(model, version, deployed, adapter, report)


def splits_before(adapter: Artifact, artifacts: ArtifactStore) -> Iterator[Path]:
    """The splits that an adapter was trained beside, and those of the champions that it started from."""
    inputs = adapter.manifest["inputs"]
    yield artifacts.open("cleaned_splits", inputs["cleaned_splits"]).folder
    provenance = artifacts.open("base_model", inputs["base_model"]).facts["provenance"]
    if "adapter_of" in provenance:
        yield from splits_before(artifacts.open("adapter", provenance["adapter"]), artifacts)


@dataclass(frozen=True)
class Contest:
    """What an evaluation follows from, and the champion that it has to ask, if there is another one."""

    inputs: dict[str, Any]
    champion: RegisteredChampion | None = None


def contest(inputs: dict[str, Any], champion: RegisteredChampion | None, artifacts: ArtifactStore) -> Contest:
    """Which champion the adapter of ``inputs`` is to be held against.

    The report that made this very adapter the champion stays its report, with the champion before it: evaluating
    again would bring nothing.
    """
    if champion is None:
        return Contest(inputs)
    if champion.adapter != inputs["adapter"]:
        return Contest({**inputs, "champion": champion.digest}, champion)
    before = champion.report and _former(champion.report, inputs, artifacts)
    return Contest({**inputs, "champion": before} if before else inputs)


def _former(report: str, inputs: Mapping[str, Any], artifacts: ArtifactStore) -> str | None:
    """The champion that a report compares with, if it follows from the same inputs otherwise."""
    try:
        known = artifacts.open("evaluation_report", report).manifest["inputs"]
    except LuthierError:
        # It will be made anew, with nothing to compare.
        return None
    former = known.get("champion")
    return former if known == {**inputs, "champion": former} else None
