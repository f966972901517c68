"""Trainings that are compared, each stored under the digest of what decided it: a comparison goes on where it was."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from assets.adapter import deciding_versions, fine_tuning
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore

if TYPE_CHECKING:
    from luthier.comparison.comparison import SeedResult
    from luthier.comparison.contenders import Contender
    from luthier.methods import AnyMethod
    from luthier.training.callbacks import MetricsSink
    from luthier.training.job import FineTuning


@dataclass(frozen=True)
class Trainings:
    """What all trainings of a comparison share; ``tuning`` is that of the recipe's own method."""

    resolved: ResolvedRecipe
    tuning: "FineTuning"
    cleaned_splits: Artifact
    base_model: Artifact
    quantized_model: Artifact
    artifacts: ArtifactStore

    def obtain(self, contender: "Contender", seed: int, *, on_metrics: "MetricsSink") -> "SeedResult":
        """The result of one method with one seed: found, or trained in a process of its own.

        Raises:
            LuthierError: the method refuses the model, or its training failed.
            RuntimeError: the training's process ended by itself.
        """
        from luthier.comparison.compared_training import ComparedTraining, write_result
        from luthier.comparison.comparison import SeedResult
        from luthier.tasks.task import Inference
        from luthier.training.compute import choose_compute

        training, model = contender.trained_with(seed), self._model(contender.method)
        compute, evaluation = choose_compute(training, contender.method), self.resolved.recipe.evaluation
        inference = Inference(
            max_length=training.max_length,
            max_new_tokens=evaluation.max_new_tokens,
            generated_rows=evaluation.generated_rows,
        )
        own = contender.kind == self.resolved.recipe.method.kind
        inputs = {
            "cleaned_splits": self.cleaned_splits.digest,
            "model": model.digest,
            "task": self.tuning.task.name,
            "method": contender.method.model_dump(mode="json"),
            "training": training.model_dump(mode="json"),
            "metric": self.tuning.metric,
            "confidence": evaluation.confidence,
            "inference": asdict(inference),
            "compute": asdict(compute),
            "versions": deciding_versions(),
        }
        job = ComparedTraining(
            digest=self.artifacts.digest("compared_training", inputs),
            tuning=replace(
                self.tuning,
                method=contender.method,
                training=training,
                compute=compute,
                model=model.folder,
                # An adapter that is trained on is of one method; the others start from its base.
                continued=self.tuning.continued if own else None,
            ),
            validation=self.cleaned_splits.folder / "validation.parquet",
            inference=inference,
            confidence=evaluation.confidence,
        )
        build = partial(write_result, job, on_metrics=on_metrics)
        return SeedResult.read(self.artifacts.obtain("compared_training", inputs, build).facts)

    def _model(self, method: "AnyMethod") -> Artifact:
        """What a method's training starts from: the base, or the base in 4 bits."""
        from luthier.models.quantization import write_quantized_model

        quantization = method.base_quantization
        if quantization is None:
            return self.base_model
        inputs = {"base_model": self.base_model.digest, "quantization": quantization.model_dump(mode="json")}
        if self.quantized_model.manifest["inputs"] == inputs:
            return self.quantized_model
        write = partial(write_quantized_model, self.base_model.folder, quantization)
        return self.artifacts.obtain("quantized_model", inputs, write)


def trainings(
    resolved: ResolvedRecipe,
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    artifacts: ArtifactStore,
) -> Trainings:
    """The trainings of a recipe's comparison; its rows are tokenized, unless that was done before."""
    from luthier.training.hyperparameters import values_of

    values = values_of(resolved)
    tuning = fine_tuning(resolved.recipe.task, values, cleaned_splits, base_model, quantized_model, artifacts)
    return Trainings(resolved, tuning, cleaned_splits, base_model, quantized_model, artifacts)
