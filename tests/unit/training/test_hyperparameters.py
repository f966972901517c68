import json

import pytest

from luthier.methods import METHODS
from luthier.recipe.loading import load_recipe
from luthier.training.hyperparameters import (
    architecture_of_base,
    read_hyperparameters,
    suited_to,
    write_hyperparameters,
)

DECODER = METHODS["lora"].family_defaults["decoder"]["learning_rate"]


@pytest.fixture
def resolved(write_recipe, tiny_bert):
    def load(training: str):
        return load_recipe(write_recipe(base=tiny_bert, training=training))

    return load


@pytest.mark.parametrize(
    ("facts", "architecture"),
    [
        (("bert", "BertModel", False), "encoder"),
        (("llama", "LlamaModel", False), "decoder"),
        (("stranger", "StrangerForCausalLM", False), "decoder"),
        (("t5", "T5ForConditionalGeneration", True), "encoder-decoder"),
    ],
)
def test_the_architecture_follows_from_the_facts_of_the_base(facts, architecture):
    named = dict(zip(("family", "architecture", "encoder_decoder"), facts, strict=True))
    assert architecture_of_base(named) == architecture


def test_a_methods_default_for_the_architecture_replaces_its_general_one_and_says_so(resolved):
    recipe = resolved("{epochs: 1}")
    suited = suited_to(recipe, "decoder")
    assert recipe.recipe.training.learning_rate != suited.recipe.training.learning_rate == DECODER
    assert suited.origins["training.learning_rate"] == "default of lora for decoder models"
    assert suited_to(recipe, "encoder").recipe == recipe.recipe


def test_what_the_recipe_says_stays(resolved):
    suited = suited_to(resolved("{learning_rate: 0.0123}"), "decoder")
    assert suited.recipe.training.learning_rate == 0.0123
    assert suited.origins["training.learning_rate"] == "recipe"


def test_what_is_written_is_what_is_read(resolved, tmp_path):
    suited = suited_to(resolved("{epochs: 1}"), "decoder")
    write_hyperparameters(suited, tmp_path)
    method, training, metric = read_hyperparameters(tmp_path)
    assert (method, training) == (suited.recipe.method, suited.recipe.training)
    assert metric == "accuracy"
    values = json.loads((tmp_path / "facts.json").read_text())["values"]
    assert values["training.learning_rate"] == {"value": DECODER, "origin": "default of lora for decoder models"}
