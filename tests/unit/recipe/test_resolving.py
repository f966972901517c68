"""Resolved values, in order of precedence, and where each came from."""

import json

import pytest

from luthier.recipe.loading import load_recipe


@pytest.mark.parametrize(
    ("more", "overrides", "value", "origin"),
    [
        ("method: {kind: full}\n", [], 5e-5, "default of full"),
        ("method: {kind: qlora}\n", [], 5e-4, "default of qlora"),
        ("", [], 1e-3, "default of lora"),
        ("", ["method.kind=qlora"], 5e-4, "default of qlora"),
        ("training: {learning_rate: 1e-2}\n", ["method.kind=qlora"], 1e-2, "recipe"),
        ("training: {learning_rate: 1e-2}\n", ["training.learning_rate=2e-2"], 2e-2, "launch override"),
        ("", ["training={epochs: 1}"], 1e-3, "default of lora"),
        ("training: {learning_rate: 1e-2}\n", ["training={epochs: 1}"], 1e-3, "default of lora"),
        ("", ["training={learning_rate: 3e-2}"], 3e-2, "launch override"),
    ],
)
def test_launch_wins_over_file_over_method_over_schema(write, more, overrides, value, origin):
    resolved = load_recipe(write(more), overrides)

    assert resolved.recipe.training.learning_rate == value
    assert resolved.origins["training.learning_rate"] == origin


def test_every_value_has_an_origin(write):
    resolved = load_recipe(write("training: {early_stopping: {patience: 4}}\n"), ["method.r=4"])

    assert set(resolved.origins) == set(resolved.flat())
    assert set(resolved.origins.values()) == {
        "recipe",
        "default",
        "default of lora",
        "default of text-classification",
        "launch override",
    }
    assert resolved.origins["training.early_stopping.patience"] == "recipe"
    assert resolved.origins["training.early_stopping.min_delta"] == "default"
    assert resolved.origins["method.r"] == "launch override"
    assert resolved.origins["method.kind"] == "default"


def test_a_section_given_at_launch_replaces_the_files_section(write):
    resolved = load_recipe(write("method: {kind: lora, r: 4}\n"), ["method={kind: qlora, alpha: 32}"])

    assert (resolved.recipe.method.r, resolved.origins["method.r"]) == (8, "default")
    assert resolved.origins["method.alpha"] == "launch override"


def test_of_two_overrides_of_a_field_the_last_wins(write):
    assert load_recipe(write(), ["training.seed=1", "training.seed=2"]).recipe.training.seed == 2


def test_qlora_brings_its_optimizer(write):
    assert load_recipe(write(), ["method.kind=qlora"]).recipe.training.optimizer == "paged_adamw_8bit"


def test_flat_values_are_json_scalars_and_lists(write):
    flat = load_recipe(write(), ["data.labels=[negative, positive]"]).flat()

    assert flat["data.labels"] == ["negative", "positive"]
    assert json.loads(json.dumps(flat)) == flat
    assert not any(isinstance(value, dict) for value in flat.values())


def test_the_models_name_is_the_recipes_unless_it_says_another(write):
    assert load_recipe(write()).model_name == "reviews"
    assert load_recipe(write(), ["deploy.model=other"]).model_name == "other"


def test_a_resolved_recipe_written_out_resolves_to_itself(write):
    resolved = load_recipe(write("method: {kind: qlora}\n"), ["training.learning_rate=7e-4"])

    again = load_recipe(write(text=resolved.as_yaml()))

    assert again.recipe == resolved.recipe
    assert set(again.origins.values()) == {"recipe"}


def test_values_hold_still(write):
    recipe = load_recipe(write()).recipe

    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 9
