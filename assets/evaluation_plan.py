"""What one evaluation does: what its report follows from, what is asked, the reading of the test split."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.incumbent import RegisteredChampion
from assets.training_origin import TrainingOrigin, head_of, origin_of, require_same
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore
from resources.test_read_ledger import TestReadLedger

if TYPE_CHECKING:
    from luthier.evaluation.assessment import Assessment
    from luthier.evaluation.report import EvaluationReport
    from luthier.evaluation.test_reads import Reading, TestReads
    from luthier.training.hyperparameters import Values


@dataclass(frozen=True)
class EvaluationPlan:
    """An adapter and the splits that it was trained beside, before its test rows are read."""

    resolved: ResolvedRecipe
    cleaned_splits: Artifact
    adapter: Artifact
    origin: TrainingOrigin
    artifacts: ArtifactStore

    @property
    def inputs(self) -> dict[str, Any]:
        """What decides the report, but for the champion."""
        return {
            "task": self.task,
            "cleaned_splits": self.cleaned_splits.digest,
            "adapter": self.adapter.digest,
            "evaluation": self.resolved.recipe.evaluation.model_dump(mode="json"),
        }

    @property
    def digests(self) -> dict[str, str]:
        """Of all that the model came from, and its own."""
        return {**self.origin.digests, "adapter": self.adapter.digest}

    @property
    def task(self) -> str:
        """What the adapter was trained for."""
        return self.adapter.manifest["inputs"]["task"]

    @cached_property
    def values(self) -> "Values":
        """What it was trained with."""
        from luthier.training.hyperparameters import read_hyperparameters

        return read_hyperparameters(self.origin.hyperparameters.folder)

    def assessed(self, champion: RegisteredChampion | None, folder: Path) -> "EvaluationReport":
        """Asks the test rows, of ``champion`` too if there is another one, and leaves the report in ``folder``.

        The reading is written down before it, and its score afterwards.
        """
        from luthier.evaluation.assessment import assess
        from luthier.evaluation.sealed_test import digest_of_test

        ledger = TestReadLedger(self.artifacts.home, digest_of_test(self.cleaned_splits.folder))
        evaluation = self.artifacts.digest("evaluation_report", self.inputs)
        reads = ledger.begin(evaluation, self.reading())
        report = assess(self.job(champion, reads), folder)
        ledger.end(evaluation, report.deciding.value)
        return report

    def job(self, champion: RegisteredChampion | None, reads: "TestReads") -> "Assessment":
        """What the library is asked to do."""
        from luthier.evaluation.assessment import Assessment
        from luthier.tasks import TASKS
        from luthier.tasks.task import Inference

        evaluation, (method, training, _) = self.resolved.recipe.evaluation, self.values
        return Assessment(
            recipe=self.resolved.name,
            task=TASKS[self.task],
            head=head_of(self.task, self.cleaned_splits, self.origin.base_model),
            method=method,
            evaluation=evaluation,
            inference=Inference(
                max_length=training.max_length,
                max_new_tokens=evaluation.max_new_tokens,
                generated_rows=evaluation.generated_rows,
            ),
            splits=self.cleaned_splits.folder,
            model=self.origin.model.folder,
            tuned=self.adapter.folder,
            digests=self.digests,
            champion=champion.opened(self.artifacts) if champion else None,
            reads=reads,
        )

    def reading(self) -> "Reading":
        """As the ledger has it."""
        from luthier.evaluation.test_reads import Reading
        from luthier.training.hyperparameters import configuration_digest

        _, training, _ = self.values
        return Reading(
            recipe=self.resolved.name,
            adapter=self.adapter.digest,
            configuration=configuration_digest(self.values, self.origin.model.digest, self.cleaned_splits.digest),
            seed=training.seed,
            metric=self.resolved.recipe.evaluation.metric,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def plan_evaluation(
    resolved: ResolvedRecipe, cleaned_splits: Artifact, adapter: Artifact, artifacts: ArtifactStore
) -> EvaluationPlan:
    """Refuses other splits than those that the adapter was trained beside."""
    require_same("cleaned_splits", cleaned_splits, adapter)
    return EvaluationPlan(resolved, cleaned_splits, adapter, origin_of(adapter, artifacts), artifacts)
