from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.comparison.contenders import OWN, Contender, contenders, left_out
from luthier.methods import METHODS
from luthier.recipe.loading import load_recipe
from luthier.recipe.schema import Recipe

BERT = {"family": "bert", "head": "sequence-classification"}
RECIPE = """
    task: text-classification
    data:
      source: rows.csv
      columns: {text: text, label: label}
    base_model: {source: model}
    method: {kind: lora, r: 4}
    training: {epochs: 4.0, batch_size: 8, learning_rate: 0.007, weight_decay: 0.3}
"""


@pytest.fixture
def recipe(yaml_file: Callable[[str], Path]) -> Callable[..., Recipe]:
    return lambda *overrides: load_recipe(yaml_file(RECIPE), overrides).recipe


def by_kind(recipe: Recipe, architecture: str = "encoder", **changed: str) -> dict[str, Contender]:
    found = contenders(recipe, architecture=architecture, **{**BERT, **changed})
    return {contender.kind: contender for contender in found}


def test_every_method_but_qlora_is_compared_unless_the_recipe_lists_them(recipe: Callable[..., Recipe]) -> None:
    assert set(by_kind(recipe())) == set(METHODS) - {"qlora"}
    assert set(by_kind(recipe("comparison.methods=[qlora, full]"))) == {"qlora", "full"}
    assert "qlora" in by_kind(recipe("method.kind=qlora"))


def test_a_method_that_the_family_does_not_allow_is_left_out_with_the_reason(recipe: Callable[..., Recipe]) -> None:
    assert left_out(recipe(), **BERT) == {}
    distilbert = {"family": "distilbert", "head": "sequence-classification"}
    assert set(left_out(recipe(), **distilbert)) == {"prefix"}
    assert "prefix" not in by_kind(recipe(), **distilbert)
    assert left_out(recipe("comparison.methods=[lora]"), **distilbert) == {}


def test_a_method_that_cannot_recompute_activations_is_left_out_where_the_recipe_wants_it(
    recipe: Callable[..., Recipe],
) -> None:
    saving = recipe("training.activation_checkpointing=true")
    assert set(left_out(saving, **BERT)) == {"prefix"}
    assert "prefix" not in by_kind(saving)


def test_the_recipes_settings_are_those_of_its_own_method_alone(recipe: Callable[..., Recipe]) -> None:
    found = by_kind(recipe())
    assert found["lora"].method.r == 4
    assert found["lora"].training == recipe().training
    for kind, contender in found.items():
        own = METHODS[kind].training_defaults
        assert kind == "lora" or contender.training.learning_rate == own["learning_rate"] != 0.007
        assert contender.training.batch_size == 8
        assert contender.training.epochs == (4.0 if kind == "lora" else own.get("epochs", 4.0))
    # Full fine-tuning alone has defaults of these, so that for the others they are nobody's business but the schema's.
    assert (found["full"].training.weight_decay, found["bitfit"].training.weight_decay) == (0.01, 0.0)
    assert (found["full"].training.dropout, found["bitfit"].training.dropout) == ("model", "adapter")
    assert {"learning_rate", "dropout", "weight_decay", "optimizer"} <= OWN
    assert "epochs" not in OWN


def test_defaults_follow_the_architecture(recipe: Callable[..., Recipe]) -> None:
    encoder, decoder = by_kind(recipe("method={kind: full}")), by_kind(recipe("method={kind: full}"), "decoder")
    assert decoder["lora"].training.learning_rate == METHODS["lora"].family_defaults["decoder"]["learning_rate"]
    assert encoder["lora"].training.learning_rate == METHODS["lora"].training_defaults["learning_rate"]


def test_one_number_of_epochs_for_all_can_be_asked(recipe: Callable[..., Recipe]) -> None:
    found = by_kind(recipe("comparison.epochs=2.0"))
    assert {contender.training.epochs for contender in found.values()} == {2.0}


def test_only_the_seed_changes_between_trainings(recipe: Callable[..., Recipe]) -> None:
    lora = by_kind(recipe())["lora"]
    first, second = lora.trained_with(18).model_dump(), lora.trained_with(19).model_dump()
    assert {name for name in first if first[name] != second[name]} == {"seed"}
