"""What one round of tuning does: its space, what it starts from, how a trial's training is prepared."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.adapter import adapter_inputs, deciding_versions, fine_tuning
from assets.studies import FinishedStudy
from luthier.errors import LuthierError
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore

if TYPE_CHECKING:
    from luthier.training.job import FineTuning
    from luthier.tuning.result import StudyResult
    from luthier.tuning.space import Dimension
    from luthier.tuning.study import RunningStudy
    from luthier.tuning.tuning import PreparedTrial, Start, TrialRecord, Tuning


@dataclass(frozen=True)
class RoundPlan:
    """One round, before it runs."""

    resolved: ResolvedRecipe
    number: int
    setting: str
    before: Sequence[FinishedStudy]
    space: "tuple[Dimension, ...]"
    revisions: tuple[str, ...]
    cleaned_splits: Artifact
    base_model: Artifact
    quantized_model: Artifact
    artifacts: ArtifactStore

    @property
    def inputs(self) -> dict[str, Any]:
        """What decides the study. What it starts from follows from that, or makes it no other study."""
        from luthier.tuning.space import as_json

        section = self.resolved.recipe.tuning.model_dump(mode="json")
        deciding = ("trials", "sampler", "pruner", "seed", "max_hours", "storage")
        return {
            "setting": self.setting,
            "round": self.number,
            "recipe": self.resolved.name,
            "cleaned_splits": self.cleaned_splits.digest,
            "base_model": self.base_model.digest,
            "tuning": {name: section[name] for name in deciding},
            "space": as_json(self.space),
            "before": [study.artifact.digest for study in self.before],
            "versions": deciding_versions(),
        }

    @property
    def study(self) -> str:
        """The study's name in its database."""
        return f"{self.resolved.name}-{self.number}-{self.artifacts.digest('tuning_study', self.inputs)[:12]}"

    def tuning(
        self,
        starts: "tuple[Start, ...]",
        record: "Callable[[int, Mapping[str, Any], str], AbstractContextManager[TrialRecord]]",
    ) -> "Tuning":
        """What the library is asked to do."""
        from luthier.tuning.tuning import Tuning

        section, home = self.resolved.recipe.tuning, Path(self.artifacts.home)
        spent = sum(study.result.seconds for study in self.before)
        left = None if section.max_hours is None else 3600 * section.max_hours - spent
        if left is not None and left <= 0:
            raise LuthierError("tuning.max_hours is used up", where=f"recipe {self.resolved.name}", received=spent)
        return Tuning(
            recipe=self.resolved.name,
            study=self.study,
            section=section,
            space=self.space,
            starts=starts,
            like=self.like,
            storage=section.storage or f"sqlite:///{home / 'studies.db'}",
            lock=home / "studies.lock",
            seconds=left,
            prepare=self.prepare,
            record=record,
        )

    def prepare(self, values: Mapping[str, Any]) -> "PreparedTrial":
        """The training that some values get: as the asset ``adapter`` would train with them, where it would go on."""
        from luthier.tuning.tuning import PreparedTrial

        job, inputs = self.training(values)
        digest = self.artifacts.digest("adapter", inputs)
        return PreparedTrial(job, self.artifacts.work("adapter", digest), digest)

    def known(self, values: Mapping[str, Any]) -> "tuple[Artifact, str] | None":
        """The adapter that was trained with these values, if one was, and the metric that it was picked by."""
        job, inputs = self.training(values)
        adapter = self.artifacts.find("adapter", inputs)
        return None if adapter is None else (adapter, job.selection_metric)

    @cached_property
    def like(self) -> "FineTuning":
        """The training that the recipe's own values get."""
        return self._tokenized(self.resolved)

    def training(self, values: Mapping[str, Any]) -> "tuple[FineTuning, dict[str, Any]]":
        """What some values decide, and what its adapter would be stored by.

        Its rows are those of ``like``, which were verified once, unless it reads texts to another length.
        """
        from luthier.training.compute import choose_compute
        from luthier.training.hyperparameters import training_values, with_values

        tried = with_values(self.resolved, values, "trial")
        method, training = tried.recipe.method, tried.recipe.training
        alike = self.like if training.max_length == self.like.training.max_length else self._tokenized(tried)
        job = replace(alike, method=method, training=training, compute=choose_compute(training, method))
        digest = self.artifacts.digest("hyperparameters", training_values(tried))
        return job, adapter_inputs(job, self.cleaned_splits, self.base_model, self.quantized_model, digest)

    def _tokenized(self, resolved: ResolvedRecipe) -> "FineTuning":
        from luthier.training.hyperparameters import values_of

        splits, base, quantized = self.cleaned_splits, self.base_model, self.quantized_model
        return fine_tuning(resolved.recipe.task, values_of(resolved), splits, base, quantized, self.artifacts)

    def result(self, running: "RunningStudy", ended: str, created: str) -> "StudyResult":
        """What the study came to."""
        from luthier.tuning.importance import importances
        from luthier.tuning.result import StudyResult

        recipe, trials = self.resolved.recipe, tuple(running.results())
        return StudyResult(
            recipe=self.resolved.name,
            study=self.study,
            round=self.number,
            method=recipe.method.kind,
            metric=running.tuning.metric.name,
            higher_is_better=running.tuning.metric.higher_is_better,
            sampler=recipe.tuning.sampler,
            pruner=recipe.tuning.pruner,
            space=self.space,
            revisions=self.revisions,
            trials=trials,
            importances=importances(running.study, seed=recipe.tuning.seed),
            seconds=sum(trial.seconds for trial in trials),
            ended=ended,
            digests={"cleaned_splits": self.cleaned_splits.digest, "base_model": self.base_model.digest},
            created=created,
        )


def plan_round(
    resolved: ResolvedRecipe,
    number: int,
    setting: str,
    before: Sequence[FinishedStudy],
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    artifacts: ArtifactStore,
    diagnoses: Mapping[str, str] | None = None,
) -> RoundPlan:
    """The first round searches what the recipe says, a later one what the rounds before it taught.

    ``diagnoses`` are what the newest report found on training and validation rows, which counts in both.
    """
    space, revisions = space_of(resolved, before, base_model, diagnoses or {})
    space = tuple(dimension.including(own_value(resolved, dimension.field)) for dimension in space)
    return RoundPlan(
        resolved, number, setting, before, space, revisions, cleaned_splits, base_model, quantized_model, artifacts
    )


def own_value(resolved: ResolvedRecipe, field: str) -> Any:
    """The value of a field of ``method`` or ``training`` in the recipe."""
    section, name = field.split(".")
    return getattr(resolved.recipe, section).model_dump(mode="json")[name]


def space_of(
    resolved: ResolvedRecipe, before: Sequence[FinishedStudy], base_model: Artifact, diagnoses: Mapping[str, str]
) -> "tuple[tuple[Dimension, ...], tuple[str, ...]]":
    """The space, and why it differs from that of the round before, or from the recipe's."""
    from luthier.recipe.search_space import SearchSpace, refusal
    from luthier.tasks.metric import METRICS
    from luthier.tuning.revision import BY_REPORT, RULES, Round, revised

    recipe = resolved.recipe
    last = before[-1].result if before else None
    declared = SearchSpace(recipe.tuning, recipe.method, recipe.training, resolved.places)
    known = Round(
        space=last.space if last else declared.dimensions,
        trials=last.trials if last else (),
        higher_is_better=last.higher_is_better if last else METRICS[recipe.evaluation.metric].higher_is_better,
        values=resolved.flat(),
        allows=lambda field, value: refusal(recipe.method, recipe.training, field, value) is None,
        diagnoses=diagnoses,
    )
    space, reasons = revised(known, RULES if last else BY_REPORT)
    fitting, left_out = without_misfits(space, resolved, base_model)
    return fitting, (*reasons, *left_out)


def without_misfits(
    space: "tuple[Dimension, ...]", resolved: ResolvedRecipe, base_model: Artifact
) -> "tuple[tuple[Dimension, ...], tuple[str, ...]]":
    """The space without choices of the method that cannot work on the base's layers, each with the reason."""
    layers = {name: (inner, outer) for name, (inner, outer) in base_model.facts["linear_layers"].items()}
    method = resolved.recipe.method
    kept, reasons = [], []
    for dimension in space:
        section, name = dimension.field.split(".")
        fitting = []
        for choice in dimension.choices if section == "method" else ():
            tried = type(method).model_validate({**method.model_dump(), name: choice})
            if misfits := tried.mismatches(layers):
                reasons.append(f"{dimension.field} {choice} is left out: {misfits[0].rule}")
            else:
                fitting.append(choice)
        kept.append(replace(dimension, choices=tuple(fitting)) if fitting else dimension)
    return tuple(kept), tuple(reasons)
