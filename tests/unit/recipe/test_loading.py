from pathlib import Path

import pytest

from luthier.recipe.loading import check_recipe, load_recipe
from luthier.recipe.problems import Problem, RecipeError

MINIMAL = """
    task: text-classification
    data: {source: rows.csv, columns: {text: text, label: label}}
    base_model: {source: model}
"""

MISTAKEN = """
    task: text-clasification
    data:
      source: rows.csv
      columns: {text: txt, label: "sentimnt > 0"}
      split: {test: 0.7, validation: 0.5}
      colums: 3
    base_model: {source: model}
    method: {kind: lora, r: 1000, target_modules: [qury], alpa: 3}
    training: {epochs: many, batchsize: 2, scheduler: linaer}
    evaluation: {metric: acuracy, target: high}
"""


def problems_of(path: Path, *overrides: str) -> dict[str, Problem]:
    with pytest.raises(RecipeError) as caught:
        check_recipe(path, overrides, columns=lambda _: ["text", "sentiment"], layers=lambda _: {"a.query": (32, 16)})
    return {problem.field: problem for problem in caught.value.problems}


def test_every_mistake_is_reported_at_once_with_its_line_and_the_nearest_name(yaml_file):
    found = problems_of(yaml_file(MISTAKEN))
    assert {field: (problem.line, problem.nearest) for field, problem in found.items()} == {
        "task": (2, "text-classification"),
        "data.columns.text": (5, "text"),
        "data.columns.label": (5, "sentiment"),
        "data.split": (6, None),
        "data.colums": (7, "columns"),
        "method.r": (9, None),
        "method.target_modules": (9, "query"),
        "method.alpa": (9, "alpha"),
        "training.epochs": (10, None),
        "training.batchsize": (10, "batch_size"),
        "training.scheduler": (10, "linear"),
        "evaluation.metric": (11, "accuracy"),
        "evaluation.target": (11, None),
    }
    assert found["method.r"].received == 1000
    assert "at most 16" in found["method.r"].rule


def test_defaults_come_from_the_method_unless_the_recipe_or_the_launch_says_otherwise(yaml_file):
    path = yaml_file(MINIMAL + "    method: {kind: full}\n    training: {epochs: 2}\n")
    resolved = load_recipe(path, ["training.weight_decay=0.5"])
    values = {
        name: (resolved.flat()[f"training.{name}"], resolved.origins[f"training.{name}"])
        for name in ("epochs", "learning_rate", "weight_decay", "batch_size")
    }
    assert values == {
        "epochs": (2.0, "recipe"),
        "learning_rate": (5e-5, "default of full"),
        "weight_decay": (0.5, "launch override"),
        "batch_size": (32, "default"),
    }


def test_an_override_that_is_wrong_is_reported_as_one(yaml_file):
    path = yaml_file(MINIMAL)
    found = problems_of(path, "training.lerning_rate=1", "epochs", "training.warmup=2")
    assert found["training.lerning_rate"].line is None
    assert found["training.lerning_rate"].nearest == "learning_rate"
    assert found["epochs"].rule == "must be FIELD=VALUE"
    assert found["training.warmup"].received == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no recipe"),
        ("- a\n- b", "holds no recipe"),
        ("task: [", "is not YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_problem(yaml_file, text, said):
    with pytest.raises(RecipeError, match=said):
        load_recipe(yaml_file(text))


def test_a_key_given_twice_is_a_problem(yaml_file):
    found = problems_of(yaml_file(MINIMAL + "    task: text-classification\n"))
    assert found["task"].rule == "is given twice; first on line 2"


def test_an_unknown_method_names_the_nearest(yaml_file):
    found = problems_of(yaml_file(MINIMAL + "    method: {kind: lorra}\n"))
    assert found["method.kind"].nearest == "lora"


def test_numbers_in_scientific_notation_and_the_word_no_mean_what_they_say(yaml_file):
    resolved = load_recipe(
        yaml_file(MINIMAL.replace("label: label", "label: no") + "    training: {learning_rate: 1e-4}\n")
    )
    assert resolved.recipe.training.learning_rate == 1e-4
    assert resolved.recipe.data.columns.label == "no"


def test_the_resolved_recipe_is_a_recipe_with_the_same_values(yaml_file, tmp_path):
    resolved = load_recipe(yaml_file(MINIMAL))
    again = tmp_path / "again.yaml"
    again.write_text(resolved.as_yaml())
    assert load_recipe(again).recipe == resolved.recipe


def test_target_modules_match_as_peft_matches_them(yaml_file):
    path = yaml_file(MINIMAL + "    method: {kind: lora, r: 4, target_modules: [query]}\n")
    facts = {"columns": lambda _: None, "layers": lambda _: {"encoder.0.query": (32, 16), "encoder.0.subquery": (2, 2)}}
    assert check_recipe(path, **facts).recipe.method.r == 4
