"""The targets of a recipe, held against its task, its method and its base model."""

import pytest

from luthier.recipe.facts import KnownModel, check_recipe
from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import RecipeError

TEXTS = """
task: {task}
data: {{source: a.csv, columns: {{text: text, label: label}}}}
base_model: {{{base}}}
method: {{kind: {method}}}
deploy: {{{deploy}}}
"""
SOURCE, CHAMPION = "source: model", "adapter_of: other"


def text(deploy: str, *, task: str = "text-classification", method: str = "lora", base: str = SOURCE) -> str:
    return TEXTS.format(task=task, deploy=deploy, method=method, base=base)


def test_the_package_alone_is_the_default(write):
    deploy = load_recipe(write()).recipe.deploy
    assert (deploy.targets, deploy.beside_package, deploy.written) == (["mlflow"], {}, {"mlflow": {}})


def test_what_is_written_has_the_settings_of_each_target_in_one_order(write):
    one, other = (
        load_recipe(write(text=text(f"targets: [{names}], folder: {{weights: adapter}}"))).recipe.deploy.written
        for names in ("mlflow, folder, onnx", "onnx, folder, mlflow")
    )
    assert one == other and list(one) == ["mlflow", "folder", "onnx"]
    assert one["folder"] == {"weights": "adapter"}
    assert one["onnx"]["int8_agreement"] == 0.95


@pytest.mark.parametrize(
    ("deploy", "field", "rule"),
    [
        ("targets: [folder]", "deploy.targets", "must have mlflow, which is what gets registered"),
        ("targets: [mlflow, onx]", "deploy.targets.1", "must be one of mlflow, folder, onnx, gguf"),
        ("targets: [mlflow, folder, folder]", "deploy.targets", "must name each once, not folder again"),
        ("onnx: {precisions: [int8]}", "deploy.onnx.precisions", "must have float32, which int8 is made from"),
        ("onnx: {precisions: [float32]}", "deploy.onnx", "means nothing while deploy.targets lacks onnx"),
        ("folder: {weight: adapter}", "deploy.folder.weight", "unknown key"),
        ("targets: [mlflow, gguf]", "deploy.targets.1", "GGUF is for decoders that generate text, not for class"),
    ],
)
def test_a_target_that_cannot_be_is_a_problem_of_its_field(deploy, field, rule, problems):
    found = problems(text=text(deploy))
    assert list(found) == [field] and found[field].rule.startswith(rule)


@pytest.mark.parametrize(
    ("target", "settings", "rule"),
    [
        ("onnx", {"task": "text-generation"}, "ONNX is for classification, token classification, question answering"),
        ("onnx", {"method": "prefix"}, "prefix does not merge"),
        ("gguf", {"task": "text-generation", "method": "prompt"}, "prompt does not merge"),
        (
            "folder",
            {"method": "prefix"},
            "prefix does not merge into a plain model; use deploy.folder.weights: adapter",
        ),
        ("folder", {"method": "bottleneck"}, "bottleneck neither merges nor has an adapter that PEFT alone"),
    ],
)
def test_a_task_or_a_method_rules_a_target_out(target, settings, rule, problems):
    found = problems(text=text(f"targets: [mlflow, {target}]", **settings))
    assert found["deploy.targets.1"].rule.startswith(rule)


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"method": "full"}, "full has no adapter that PEFT alone could load"),
        ({"method": "bitfit"}, "bitfit has no adapter that PEFT alone could load"),
        ({"method": "qlora"}, "an adapter trained on a quantized base answers otherwise"),
        ({"base": CHAMPION}, "the adapter's base would be a champion that only Luthier has"),
    ],
)
def test_an_adapter_alone_needs_a_base_that_others_have(settings, rule, problems):
    found = problems(text=text("targets: [mlflow, folder], folder: {weights: adapter}", **settings))
    assert found["deploy.targets.1"].rule.startswith(rule)


@pytest.mark.parametrize(
    ("task", "target", "family", "both", "rule"),
    [
        ("text-generation", "gguf", "gpt2", False, "GGUF is for models of type llama, not gpt2"),
        ("summarization", "gguf", "bart", True, "GGUF is for decoders that generate text, not for the"),
        ("text-generation", "gguf", "llama", False, None),
        ("summarization", "gguf", "llama", False, None),
        ("text-classification", "onnx", "roberta", False, None),
    ],
)
def test_the_family_of_the_base_rules_a_target_out(task, target, family, both, rule, write):
    path = write(text=text(f"targets: [mlflow, {target}]", task=task))
    goal = {"text-generation": "20", "text-classification": "0.8", "summarization": "0.2"}[task]
    model = KnownModel(family, both, {f"model.{name}_proj": (8, 8) for name in "qv"})

    def check() -> None:
        check_recipe(path, [f"evaluation.target={goal}"], columns=lambda _: None, model=lambda _: model)

    if rule is None:
        check()
        return
    with pytest.raises(RecipeError) as caught:
        check()
    (problem,) = caught.value.problems
    assert problem.field == "deploy.targets.1" and problem.rule.startswith(rule)
