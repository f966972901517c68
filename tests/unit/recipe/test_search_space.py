from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.methods import METHODS
from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import RecipeError
from luthier.recipe.schema import TrainingSection
from luthier.recipe.search_space import SearchSpace
from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.space import Dimension

RECIPE = """
task: text-classification
data: {source: reviews.csv, columns: {text: text, label: stars}}
base_model: {source: model}
method: {kind: lora}
"""


def space_of(text: str, yaml_file: Callable[[str], Path]) -> tuple[Dimension, ...]:
    resolved = load_recipe(yaml_file(RECIPE + text))
    recipe = resolved.recipe
    return SearchSpace(recipe.tuning, recipe.method, recipe.training, resolved.places).dimensions


def problems(text: str, yaml_file: Callable[[str], Path]) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(yaml_file(RECIPE + text))
    return str(caught.value)


def test_short_names_mean_the_field_that_has_them(yaml_file):
    text = "tuning: {space: {learning_rate: {low: 1.0e-4, high: 0.01, log: true}, r: [4, 8], training.epochs: [2, 3]}}"
    rate, rank, epochs = space_of(text, yaml_file)
    assert rate == Dimension("training.learning_rate", low=1e-4, high=0.01, log=True)
    assert rank == Dimension("method.r", choices=(4, 8))
    assert epochs.field == "training.epochs"


def test_a_range_of_a_field_of_whole_numbers_has_whole_numbers(yaml_file):
    ranks, rates = space_of("tuning: {space: {r: {low: 2, high: 64}, learning_rate: {low: 0.001, high: 1}}}", yaml_file)
    assert ranks.integer and not rates.integer


def test_conditions_come_after_what_they_name(yaml_file):
    text = "tuning: {space: {lora_plus_ratio: {low: 1, high: 16, when: {use_dora: [false]}}, use_dora: [true, false]}}"
    dora, ratio = space_of(text, yaml_file)
    assert (dora.field, ratio.field) == ("method.use_dora", "method.lora_plus_ratio")
    assert ratio.when == {"method.use_dora": (False,)}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("{alfa: [8]}", "must be a field of training or of method lora; did you mean 'alpha'?"),
        ("{dropout: [0.1]}", "is a field of both; write method.dropout or training.dropout"),
        ("{seed: [1, 2]}", "is the same for all trials"),
        ("{r: [4, 0]}", "received 0: must be greater than or equal to 1"),
        ("{r: [4, 4]}", "is there twice"),
        ("{r: 4}", "must be a list of values, or {low, high}, or {choices}"),
        ("{r: {low: 8, high: 4}}", "must have a low below its high"),
        ("{r: {low: 4}}", "must have numbers low and high"),
        ("{learning_rate: {low: 0.001, high: 3}}", "received 3: must be less than or equal to 1"),
        ("{weight_decay: {low: 0, high: 0.1, log: true}}", "must be above 0 where log is true"),
        ("{r: {choices: [4], low: 2}}", "stands instead of choices"),
        ("{r: {low: 2, high: 4, step: 1}}", "unknown key; known here: low, high, log, choices, when"),
        ("{r: {choices: [4], when: {use_dora: [true]}}}", "must name a searched field and its values"),
        (
            "{r: {choices: [4], when: {alpha: [8]}}, alpha: {choices: [8], when: {r: [4]}}}",
            "has conditions that depend on each other",
        ),
    ],
)
def test_each_mistake_is_named_with_its_line(space, said, yaml_file):
    found = problems(f"tuning:\n  space: {space}\n", yaml_file)
    assert said in found and "recipe.yaml:7" in found


def test_a_study_must_end(yaml_file):
    assert "no study would end" in problems("tuning: {trials: null}", yaml_file)


def test_all_mistakes_are_told_at_once(yaml_file):
    assert "4 problems" in problems("tuning: {space: {alfa: [8], r: [0], seed: [1], batch_size: 3}}", yaml_file)


def test_tuning_is_automatic_where_the_recipe_has_a_section_and_nowhere_else(yaml_file):
    assert not load_recipe(yaml_file(RECIPE)).recipe.tuning.automatic
    assert load_recipe(yaml_file(RECIPE + "tuning: {rounds: 2}\n")).recipe.tuning.automatic
    assert not load_recipe(yaml_file(RECIPE + "tuning: {automatic: false}\n")).recipe.tuning.automatic


@pytest.mark.parametrize("kind", METHODS)
def test_every_methods_own_space_is_one_that_a_recipe_could_declare(kind, yaml_file):
    places = load_recipe(yaml_file(RECIPE)).places
    method = METHODS[kind].model_validate({"kind": kind})
    found = SearchSpace(TuningSection(), method, TrainingSection(**method.training_defaults), places)
    assert found.problems == []
    assert any(dimension.field == "training.learning_rate" for dimension in found.dimensions)
