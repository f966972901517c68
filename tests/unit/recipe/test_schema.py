"""The schema: described everywhere, bounded where a number is asked for."""

from typing import Literal, get_args, get_origin

import annotated_types
import pytest
from pydantic import BaseModel

from luthier.methods import METHODS
from luthier.recipe.schema import Recipe
from luthier.tasks import TASKS
from luthier.tasks.metric import METRICS


def models_below(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        for annotation in (field.annotation, *get_args(field.annotation)):
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                found |= models_below(annotation)
    return found


MODELS = sorted(models_below(Recipe), key=lambda model: model.__name__)


def test_every_section_and_method_is_covered_here():
    assert {"Recipe", "DataSection", "Split", "EarlyStopping", "Full", "Lora", "Qlora", "Quantization"} <= {
        model.__name__ for model in MODELS
    }


@pytest.mark.parametrize("model", MODELS)
def test_models_are_frozen_and_refuse_unknown_keys(model):
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_described_and_every_number_is_bounded_on_both_sides(model):
    for name, field in model.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float):
            bounds = {type(bound) for bound in field.metadata}
            assert bounds & {annotated_types.Ge, annotated_types.Gt}, name
            assert bounds & {annotated_types.Le, annotated_types.Lt}, name


def test_methods_are_registered_by_the_kind_they_declare():
    for kind, method in METHODS.items():
        assert get_origin(method.model_fields["kind"].annotation) is Literal
        assert method(kind=kind).kind == kind


def test_what_a_method_suggests_is_valid_training():
    training = Recipe.model_fields["training"].annotation
    for method in METHODS.values():
        training.model_validate(dict(method.training_defaults))


def test_tasks_are_registered_by_name_and_have_known_metrics_for_every_kind_of_label():
    for name, task in TASKS.items():
        assert task.name == name
        assert all(task.metrics(kind) and set(task.metrics(kind)) <= METRICS.keys() for kind in task.label_kinds)
