"""A recipe against its data and its base model."""

import re

import pytest

from luthier.errors import ModelError, SourceError
from luthier.recipe.facts import KnownModel, check_recipe, fact_problems
from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import RecipeError

LAYERS = {
    "encoder.layer.0.attention.self.query": (64, 64),
    "encoder.layer.0.attention.self.value": (64, 16),
    "encoder.layer.0.output.dense": (256, 64),
    "pooler.dense": (64, 4),
}


def known(layers):
    return None if layers is None else KnownModel("bert", False, layers)


@pytest.fixture
def check(write):
    """The problems by field of a recipe whose source has two columns and whose base has LAYERS."""

    def _check(more="", *overrides, columns=("text", "sentiment"), layers=LAYERS):
        try:
            check_recipe(write(more), overrides, columns=lambda _: columns, model=lambda _: known(layers))
        except RecipeError as error:
            return {problem.field: problem for problem in error.problems}
        return {}

    return _check


def test_a_recipe_that_fits_its_facts_resolves(check):
    assert check("method: {kind: lora, r: 16}\n") == {}


def test_a_column_that_the_source_lacks_is_reported_with_the_nearest(check):
    found = check(columns=("texts", "sentiments"))

    assert {field: (problem.line, problem.received, problem.nearest) for field, problem in found.items()} == {
        "data.columns.text": (4, "text", "texts"),
        "data.columns.label": (4, "sentiment", "sentiments"),
    }


def test_every_missing_column_of_an_expression_is_reported(write):
    path = write()
    overrides = ["data.columns.label='stars > 3 and votes > 1'"]

    with pytest.raises(RecipeError) as caught:
        check_recipe(path, overrides, columns=lambda _: ["text"], model=lambda _: None)

    assert [(p.file, p.received) for p in caught.value.problems] == [(None, "stars"), (None, "votes")]


def test_facts_that_are_not_known_are_no_problem(check):
    assert check("method: {kind: lora, r: 999, target_modules: [nothing]}\n", columns=None, layers=None) == {}


def test_a_target_that_matches_no_layer_is_reported_with_the_nearest(check):
    problem = check("method: {kind: lora, target_modules: [query, valeu]}\n")["method.target_modules"]

    assert (problem.received, problem.nearest, problem.line) == ("valeu", "value", 6)
    assert "dense, query, value" in problem.rule


@pytest.mark.parametrize("target", ["query", "self.query", "encoder.layer.0.attention.self.query", "pooler.dense"])
def test_a_target_matches_a_layers_whole_name_or_its_end_after_a_dot(check, target):
    assert check(f"method: {{kind: lora, r: 1, target_modules: [{target}]}}\n") == {}


@pytest.mark.parametrize("target", ["uery", "self", "encoder", "query.", "layer.0"])
def test_a_part_of_a_layers_name_matches_nothing(check, target):
    assert "method.target_modules" in check(f"method: {{kind: lora, r: 1, target_modules: [{target}]}}\n")


def test_a_model_without_linear_layers_matches_nothing(check):
    assert "method.target_modules" in check("method: {kind: lora, target_modules: [query]}\n", layers={})


@pytest.mark.parametrize(
    ("targets", "most"), [("auto", 16), ("all-linear", 4), ("[query]", 64), ("[query, value]", 16), ("[dense]", 4)]
)
def test_a_rank_above_the_smaller_side_of_a_targeted_layer_is_reported(check, targets, most):
    method = f"method: {{kind: lora, target_modules: {targets}, r: %d}}\n"

    assert check(method % most) == {}
    problem = check(method % (most + 1))["method.r"]
    assert (problem.received, problem.line) == (most + 1, 6)
    assert f"at most {most}" in problem.rule


def test_qlora_is_held_against_the_layers_as_lora_is(check):
    assert set(check("method: {kind: qlora, r: 999, target_modules: [nothing]}\n")) == {
        "method.r",
        "method.target_modules",
    }


def test_full_fine_tuning_has_no_layers_to_miss(check):
    assert check("method: {kind: full}\n", layers={}) == {}


def test_the_default_method_is_held_against_the_layers_too(check):
    assert "method.r" in check(layers={"self.query": (4, 4)})


def test_mistakes_and_facts_come_together_even_from_one_section(check):
    found = check(
        """
        method:
          kind: lora
          r: 1000
          target_modules: [qury]
          alpa: 3
          dropout: 2
        training: {epochs: many}
        evaluation: {metric: acuracy}
        """,
        "data.colums=3",
        "data.columns.text=txt",
    )

    assert set(found) == {
        "method.r",
        "method.target_modules",
        "method.alpa",
        "method.dropout",
        "training.epochs",
        "evaluation.metric",
        "data.colums",
        "data.columns.text",
    }


def test_a_wrong_value_gets_no_second_problem_from_the_default_in_its_place(check):
    found = check("method: {kind: lora, r: many}\n", layers={"self.query": (4, 4)})

    assert [problem.rule for problem in found.values()] == ["must be a whole number"]


def test_a_default_that_contradicts_a_value_hides_no_missing_column(check):
    found = check("", "data.split={test: 0.9}", columns=["text"])

    assert set(found) == {"data.split.validation", "data.columns.label"}


def test_an_unknown_method_hides_no_missing_column(check):
    assert set(check("method: {kind: lorra}\n", columns=["text"])) == {"method.kind", "data.columns.label"}


def test_a_source_that_cannot_be_read_is_a_problem_beside_others(write):
    def no_rows(data):
        raise SourceError("no such file", where="somewhere", received=data.source, remedy="check the path")

    def no_model(base):
        raise ModelError("not a model folder")

    with pytest.raises(RecipeError) as caught:
        check_recipe(write("method: {kind: lorra}\n"), columns=no_rows, model=no_model)

    assert [(p.field, p.line, p.received, p.rule) for p in caught.value.problems[:2]] == [
        ("data.source", 3, "rows.csv", "no such file; check the path"),
        ("base_model.source", 5, "model", "not a model folder"),
    ]
    assert caught.value.problems[2].field == "method.kind"


def test_sections_that_are_too_wrong_to_ask_about_are_not_asked_about(write):
    def never(section):
        raise AssertionError(section)

    with pytest.raises(RecipeError):
        check_recipe(write(), ["data.source=3", "base_model=3"], columns=never, model=never)


def test_a_resolved_recipe_can_be_held_against_facts_learnt_later(write):
    resolved = load_recipe(write(), ["method.r=99"])

    found = fact_problems(resolved, columns=["sentiment"], model=known(LAYERS))

    assert [(p.field, p.file and p.line) for p in found] == [("data.columns.text", 4), ("method.r", None)]
    assert fact_problems(resolved, columns=None, model=None) == []


@pytest.mark.parametrize(
    ("sections", "family", "field", "rule"),
    [
        ("method: {kind: bitfit}\n", "llama", "method.kind", "no biases to train; use lora or ia3 instead"),
        ("method: {kind: prefix}\n", "distilbert", "method.kind", "use lora or prompt instead"),
        ("method: {kind: bitfit}\n", "bert", None, None),
    ],
)
def test_a_method_that_a_family_cannot_have_is_refused_with_one_that_it_can(write, sections, family, field, rule):
    def problems():
        check_recipe(write(sections), columns=lambda _: None, model=lambda _: KnownModel(family, False, LAYERS))

    if field is None:
        problems()
        return
    with pytest.raises(RecipeError) as caught:
        problems()
    (problem,) = caught.value.problems
    assert problem.field == field
    assert rule in problem.rule


@pytest.mark.parametrize(
    ("sections", "field", "rule"),
    [
        ("training: {max_length: 64}\n", None, ""),
        ("training: {max_length: 65}\n", "training.max_length", "must be at most 64"),
        ("method: {kind: prompt}\ntraining: {max_length: 40}\n", None, ""),
        ("method: {kind: prompt}\ntraining: {max_length: 41}\n", "training.max_length", "at most 40.*less 20 virtual"),
        ("method: {kind: prompt, num_virtual_tokens: 60}\n", "method.num_virtual_tokens", "leaves no room"),
    ],
)
def test_texts_longer_than_the_base_reads_are_reported(write, sections, field, rule):
    model = KnownModel("bert", False, LAYERS, positions=64)
    if field is None:
        check_recipe(write(sections), columns=lambda _: None, model=lambda _: model)
        return
    with pytest.raises(RecipeError) as caught:
        check_recipe(write(sections), columns=lambda _: None, model=lambda _: model)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert re.search(rule, problem.rule)
