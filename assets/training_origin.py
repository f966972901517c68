"""What an adapter was trained from: not what lies upstream now, but what its manifest names."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assets.quantized_model import training_model
from luthier.errors import LuthierError
from resources.artifact_store import Artifact, ArtifactStore

if TYPE_CHECKING:
    from luthier.tasks.head import Head

UPSTREAM = ("cleaned_splits", "base_model", "quantized_model", "hyperparameters")


@dataclass(frozen=True)
class TrainingOrigin:
    """The artifacts that one training read."""

    cleaned_splits: Artifact
    base_model: Artifact
    quantized_model: Artifact
    hyperparameters: Artifact
    tuning_study: str | None
    """The digest of the study that the hyperparameters come from, if one had found them."""

    @property
    def digests(self) -> dict[str, str]:
        """Of all that the adapter came from."""
        made_of = {name: getattr(self, name).digest for name in UPSTREAM}
        study = {"tuning_study": self.tuning_study} if self.tuning_study else {}
        return {"raw_data": self.cleaned_splits.manifest["inputs"]["raw_data"], **made_of, **study}

    @property
    def model(self) -> Artifact:
        """The artifact whose weights the training started from."""
        return training_model(self.base_model, self.quantized_model)


def head_of(task: str, cleaned_splits: Artifact, base_model: Artifact) -> "Head":
    """The head that a task needs for these labels on this base."""
    from luthier.tasks import TASKS

    labels, kind = cleaned_splits.facts["labels"], cleaned_splits.facts["label_kind"]
    return TASKS[task].head(labels, kind, encoder_decoder=base_model.facts["encoder_decoder"])


def origin_of(adapter: Artifact, artifacts: ArtifactStore) -> TrainingOrigin:
    """The artifacts that ``adapter`` was trained from."""
    inputs = adapter.manifest["inputs"]
    opened = {name: artifacts.open(name, inputs[name]) for name in UPSTREAM}
    return TrainingOrigin(**opened, tuning_study=adapter.manifest.get("tuning_study"))


def require_same(name: str, now: Artifact, downstream: Artifact) -> None:
    """Refuses a ``downstream`` that was made from another artifact than ``now``.

    Else a test split could hold rows that the adapter was trained on, or one model's report deploy another.
    """
    used = downstream.manifest["inputs"][name]
    if used != now.digest:
        raise LuthierError(
            f"{downstream.asset} was made from another {name} than the one that is materialized now",
            received=f"{used[:12]} and {now.digest[:12]}",
            remedy=f"materialize {downstream.asset} again",
        )
