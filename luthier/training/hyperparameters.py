"""The values one training uses, each with where it came from."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from luthier.digest import digest_of
from luthier.methods import Method
from luthier.methods.shape import DECODERS, Architecture
from luthier.recipe.resolving import DEFAULT, ResolvedRecipe
from luthier.recipe.schema import TrainingSection

SECTIONS = ("method", "training")

# The method, the training section and the metric that picks the best checkpoint.
Values = tuple[Method, TrainingSection, str]


def architecture_of_base(facts: Mapping[str, Any]) -> Architecture:
    """Which half of a transformer a base model is, or both, by the facts of its snapshot."""
    if facts["encoder_decoder"]:
        return "encoder-decoder"
    return "decoder" if facts["family"] in DECODERS or facts["architecture"].endswith("ForCausalLM") else "encoder"


def suited_to(resolved: ResolvedRecipe, architecture: Architecture) -> ResolvedRecipe:
    """The recipe with its method's defaults for this architecture, where nobody said otherwise."""
    recipe = resolved.recipe
    general, origin = f"default of {recipe.method.kind}", f"default of {recipe.method.kind} for {architecture} models"
    suited = {
        name: value
        for name, value in recipe.method.family_defaults.get(architecture, {}).items()
        if resolved.origins[f"training.{name}"] in (general, DEFAULT)
    }
    training = TrainingSection.model_validate({**recipe.training.model_dump(), **suited})
    return replace(
        resolved,
        recipe=recipe.model_copy(update={"training": training}),
        origins={**resolved.origins, **{f"training.{name}": origin for name in suited}},
    )


def suited_to_base(resolved: ResolvedRecipe, facts: Mapping[str, Any]) -> ResolvedRecipe:
    """``suited_to`` the architecture of a base model, by the facts of its snapshot."""
    return suited_to(resolved, architecture_of_base(facts))


def with_values(resolved: ResolvedRecipe, values: Mapping[str, Any], origin: str) -> ResolvedRecipe:
    """The recipe with other values of ``method`` and ``training``, by dotted field."""
    if not values:
        return resolved
    given: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for field, value in values.items():
        section, name = field.split(".")
        given[section][name] = value
    recipe = resolved.recipe
    method = TypeAdapter(Method).validate_python({**recipe.method.model_dump(), **given["method"]})
    training = TrainingSection.model_validate({**recipe.training.model_dump(), **given["training"]})
    return replace(
        resolved,
        recipe=recipe.model_copy(update={"method": method, "training": training}),
        origins={**resolved.origins, **dict.fromkeys(values, origin)},
    )


def values_of(resolved: ResolvedRecipe) -> Values:
    """What one training of the recipe uses."""
    return resolved.recipe.method, resolved.recipe.training, resolved.recipe.evaluation.metric


def training_values(resolved: ResolvedRecipe) -> dict[str, Any]:
    """The sections of a recipe that decide a training, and the metric that picks the best checkpoint."""
    recipe = resolved.recipe.model_dump(mode="json")
    return {**{section: recipe[section] for section in SECTIONS}, "metric": recipe["evaluation"]["metric"]}


def described_values(resolved: ResolvedRecipe) -> dict[str, dict[str, Any]]:
    """Each value by its dotted field, with where it came from."""
    return {
        name: {"value": value, "origin": resolved.origins[name]}
        for name, value in resolved.flat().items()
        if name.partition(".")[0] in SECTIONS or name == "evaluation.metric"
    }


def write_hyperparameters(resolved: ResolvedRecipe, folder: Path) -> None:
    """Writes ``hyperparameters.json`` (to train with) and ``facts.json`` (flat, with origins)."""
    (folder / "hyperparameters.json").write_text(json.dumps(training_values(resolved), indent=2))
    (folder / "facts.json").write_text(json.dumps({"values": described_values(resolved)}, indent=2))


def read_hyperparameters(folder: Path) -> Values:
    """The method, the training section and the metric, as they were written."""
    values = json.loads((folder / "hyperparameters.json").read_text())
    method = TypeAdapter(Method).validate_python(values["method"])
    return method, TrainingSection.model_validate(values["training"]), values["metric"]


def configuration_digest(values: Values, model: str, splits: str) -> str:
    """What a training is apart from its seed; ``model`` and ``splits`` are digests of what it started from."""
    method, training, metric = values
    unseeded = training.model_dump(mode="json", exclude={"seed"})
    made_of = {"model": model, "splits": splits}
    return digest_of({"method": method.model_dump(mode="json"), "training": unseeded, "metric": metric, **made_of})
