"""Loading: all problems of a file and a launch at once, each at its place."""

import subprocess
import sys
from pathlib import Path

import pytest

from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import NOTHING, RecipeError

WRONG_EVERYWHERE = """\
task: text-classification
data:
  source: rows.csv
  colums: {text: text}
  columns: {text: text, label: "len(text)"}
  split: {test: 0.7, validation: 0.5, seed: -1}
base_model:
  sha256: abc
method: {kind: lorra}
training:
  epochs: many
  lerning_rate: 0.1
  scheduler: linaer
  batch_size: 0
  threads: none
evaluation: {metric: acuracy, target: 84}
deploy: reviews
"""


def test_every_mistake_of_a_file_is_reported_on_its_line(problems):
    found = problems(text=WRONG_EVERYWHERE)

    assert {field: problem.line for field, problem in found.items()} == {
        "data.colums": 4,
        "data.columns.label": 5,
        "data.split.validation": 6,
        "data.split.seed": 6,
        "base_model.source": 7,
        "base_model.sha256": 8,
        "method.kind": 9,
        "training.epochs": 11,
        "training.lerning_rate": 12,
        "training.scheduler": 13,
        "training.batch_size": 14,
        "training.threads": 15,
        "evaluation.metric": 16,
        "evaluation.target": 16,
        "deploy": 17,
    }


@pytest.mark.parametrize(
    ("field", "nearest"),
    [
        ("data.colums", "columns"),
        ("method.kind", "lora"),
        ("training.lerning_rate", "learning_rate"),
        ("training.scheduler", "linear"),
        ("evaluation.metric", "accuracy"),
        ("training.epochs", None),
    ],
)
def test_a_misspelt_name_gets_the_nearest_valid_one(problems, field, nearest):
    assert problems(text=WRONG_EVERYWHERE)[field].nearest == nearest


@pytest.mark.parametrize(
    ("field", "received", "rule"),
    [
        ("base_model.source", NOTHING, "is required, or adapter_of"),
        ("training.epochs", "many", "must be a number"),
        ("training.scheduler", "linaer", "must be one of linear, cosine, constant, inverse_sqrt, wsd"),
        ("training.batch_size", 0, "must be greater than or equal to 1"),
        ("training.threads", "none", "must be auto or a whole number"),
        ("evaluation.target", 84, "must lie between 0 and 1, as accuracy does"),
        ("data.split.validation", 0.5, "test + validation must be less than 1 and is 1.2"),
        ("deploy", "reviews", "must be a mapping"),
    ],
)
def test_a_problem_says_the_value_and_the_rule(problems, field, received, rule):
    problem = problems(text=WRONG_EVERYWHERE)[field]

    assert (problem.received, problem.rule) == (received, rule)


def test_the_message_lists_every_problem_on_one_line_each(write):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(text=WRONG_EVERYWHERE))

    heading, *lines = str(caught.value).splitlines()
    assert heading == "the recipe has 15 problems:"
    assert lines == [str(problem) for problem in caught.value.problems]


def test_a_problem_reads_as_place_field_value_rule_and_advice(problems, tmp_path):
    problem = problems("training:\n  lerning_rate: 0.1\n")["training.lerning_rate"]

    expected = "reviews.yaml:7: training.lerning_rate: received 0.1: unknown key; did you mean 'learning_rate'?"
    assert str(problem) == f"{tmp_path}/{expected}"


def test_an_unknown_task_is_reported_with_the_nearest_and_hides_no_wrong_metric(problems):
    found = problems("evaluation: {metric: acuracy}\n", "task=text-clasification")

    assert found["task"].nearest == "text-classification"
    assert found["evaluation.metric"].nearest == "accuracy"


def test_a_key_given_twice_is_a_problem_beside_others(problems):
    found = problems("training:\n  epochs: 1\n  batchsize: 2\n  epochs: 4\n")

    assert found["training.epochs"].rule == "is given twice; first on line 7"
    assert (found["training.epochs"].line, found["training.epochs"].received) == (9, 4)
    assert found["training.batchsize"].nearest == "batch_size"


@pytest.mark.parametrize(
    ("more", "field", "line"),
    [
        ("method: {kind: lora, target_modules: [query, 3]}\n", "method.target_modules.1", 6),
        ("method: {kind: lora, target_modules: query}\n", "method.target_modules", 6),
        ("method: {kind: lora, target_modules: []}\n", "method.target_modules", 6),
        ("method: {kind: lora, quantization: {type: nf4}}\n", "method.quantization", 6),
        ("method:\n  kind: qlora\n  quantization:\n    type: nf5\n", "method.quantization.type", 9),
        ("method: {kind: full, r: 8}\n", "method.r", 6),
        ("method: {kind: [lora]}\n", "method.kind", 6),
        ("method: lora\n", "method", 6),
        ("method: {kind: lora, lora: 1}\n", "method.lora", 6),
        ("training:\n", "training", 6),
        ("name: other\n", "name", 6),
        ("tasks: other\n", "tasks", 6),
    ],
)
def test_one_mistake_is_one_problem_at_its_field(problems, more, field, line):
    found = problems(more)

    assert [(problem.field, problem.line) for problem in found.values()] == [(field, line)]


def test_a_type_is_not_guessed(problems):
    found = problems("training: {group_by_length: 'yes', epochs: '3', batch_size: true, seed: 1.0}\n")

    assert set(found) == {f"training.{name}" for name in ("group_by_length", "epochs", "batch_size", "seed")}


def test_label_names_are_distinct_text_two_at_least_and_two_for_an_expression(problems):
    assert problems("", "data.labels=[a]")["data.labels"].rule == "must have at least 2 items, not 1"
    assert problems("", "data.labels=[a, b, a]")["data.labels"].rule == "must differ; a is repeated"
    assert "two names" in problems("", "data.labels=[a, b, c]")["data.labels"].rule
    assert set(problems("", "data.labels=[0, 1]")) == {"data.labels.0", "data.labels.1"}


def test_label_names_of_a_column_may_be_many(write):
    resolved = load_recipe(write(), ["data.columns.label=stars", "data.labels=[one, two, three]"])

    assert resolved.recipe.data.labels == ["one", "two", "three"]


def test_the_default_validation_share_counts_when_test_leaves_no_room(problems):
    assert "data.split.validation" in problems("", "data.split.test=0.9")


@pytest.mark.parametrize("label", ["1 > 0", "stars >", "__import__('os')", "stars.x > 0"])
def test_a_label_that_is_no_expression_over_columns_is_refused(problems, label):
    assert set(problems("", f'data.columns.label="{label}"')) == {"data.columns.label"}


@pytest.mark.parametrize("optimizer", ["paged_adamw", "paged_adamw_8bit"])
@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_a_paged_optimizer_goes_with_any_method(write, kind, optimizer):
    load_recipe(write(), [f"method.kind={kind}", f"training.optimizer={optimizer}"])


def test_problems_of_overrides_say_set_instead_of_a_line(problems):
    found = problems(
        "training: {epochs: 3}\nmethod: {kind: lora, target_modules: [query]}\n",
        "training.lr=3",
        "training.epochs=many",
        "evaluation.confidence.level=2",
        "method.target_modules=[3]",
        "name=x",
    )

    assert set(found) == {
        "training.lr",
        "training.epochs",
        "evaluation.confidence",
        "method.target_modules.0",
        "name",
    }
    assert all(str(problem).startswith(f"--set: {field}: received ") for field, problem in found.items())
    assert found["training.epochs"].received == "many"


@pytest.mark.parametrize("text", ["training.epochs", "=3", ".epochs=3", "training..epochs=3"])
def test_an_override_that_is_no_assignment_is_a_problem(problems, text):
    problem = problems("", text)[""]

    assert str(problem) == f"--set: received {text!r}: must be FIELD=VALUE, such as training.epochs=2"


def test_an_override_that_is_no_yaml_is_a_problem_beside_others(problems):
    assert set(problems("", "training.seed=[1,", "training.epochs=many")) == {"training.seed", "training.epochs"}


def test_an_override_in_the_place_of_a_wrong_value_mends_it(write):
    resolved = load_recipe(write("training: {epochs: many}\n"), ["training.epochs=2"])

    assert resolved.recipe.training.epochs == 2


def test_a_smallest_recipe_is_whole(write):
    recipe = load_recipe(write()).recipe

    assert (recipe.name, recipe.method.kind, recipe.evaluation.metric) == ("reviews", "lora", "accuracy")


@pytest.mark.parametrize("recipe", sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_recipes_load(recipe):
    assert load_recipe(recipe).name == recipe.stem


def test_loading_imports_nothing_heavy():
    heavy = ("torch", "transformers", "peft", "datasets", "pandas", "numpy", "dagster", "mlflow", "sklearn")
    script = f"import sys, luthier.recipe.loading; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
