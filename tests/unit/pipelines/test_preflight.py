"""Recipes that start from other recipes, before anything runs."""

import pytest

from luthier.recipe.problems import RecipeError
from pipelines.preflight import check_before_run


def problem(name: str):
    with pytest.raises(RecipeError) as caught:
        check_before_run(name)
    (found,) = caught.value.problems
    return found


def test_recipes_that_start_from_each_other_are_refused_with_the_way_round(write_recipe, tiny_bert):
    for name, origin in (("tiny", "tiny-full"), ("tiny-full", "tiny-qlora"), ("tiny-qlora", "tiny-full")):
        write_recipe(name, base=tiny_bert, base_model=f"{{adapter_of: {origin}}}")
    assert "tiny-full -> tiny-qlora -> tiny-full" in problem("tiny-full").rule
    assert "tiny -> tiny-full -> tiny-qlora -> tiny-full" in problem("tiny").rule


def test_a_recipe_that_starts_from_itself_or_from_none_is_refused(write_recipe, tiny_bert):
    write_recipe("tiny", base=tiny_bert, base_model="{adapter_of: tiny}")
    assert problem("tiny").field == "base_model.adapter_of"
    write_recipe("tiny-full", base=tiny_bert, base_model="{adapter_of: tinny}")
    found = problem("tiny-full")
    assert (found.field, found.nearest) == ("base_model.adapter_of", "tiny")
    assert found.rule.startswith("no such recipe")


def test_a_chain_that_begins_somewhere_is_valid(write_recipe, tiny_bert):
    write_recipe("tiny", base=tiny_bert)
    write_recipe("tiny-full", base=tiny_bert, base_model="{adapter_of: tiny}")
    check_before_run("tiny-full")


def test_a_base_that_is_no_whole_model_is_a_problem_of_the_recipe(write_recipe, tiny_bert, tmp_path):
    import shutil

    model = shutil.copytree(tiny_bert, tmp_path / "model")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    write_recipe("tiny", base=model)
    assert "no safetensors weights" in problem("tiny").rule


def test_a_recipe_that_is_not_there_is_said_to_be_none(project):
    found = problem("tinny")
    assert found.line is None
    assert "no such recipe" in found.rule
