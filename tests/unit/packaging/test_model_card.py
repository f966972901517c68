from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

from luthier.evaluation.report import Evaluated, EvaluationReport, evaluate
from luthier.packaging.model_card import escaped, model_card

HOSTILE = '<script>alert("x")</script> | `code` *bold* [link](javascript:alert(1))\n# heading\n---\nlicense: stolen'
RECIPE: dict[str, Any] = {
    "task": "text-classification",
    "data": {"source": "file://rows_of_mine.csv", "columns": {"text": "text", "label": "stars > 3"}},
    "base_model": {"source": "wheel://a-model==1.0/a_model/model"},
    "method": {"kind": "lora", "r": 8, "target_modules": ["query", "value"]},
    "training": {"max_length": 128, "learning_rate": 1e-3, "early_stopping": {"patience": 2}},
}


def report_on(names: tuple[str, str] = ("no", "yes")) -> EvaluationReport:
    labels = np.arange(200) % 2
    chosen = np.where(np.arange(200) % 10 == 0, 1 - labels, labels)
    return evaluate(
        Evaluated(["a text"] * 200, labels, np.eye(2)[chosen], names, {"majority": np.zeros(200, dtype=int)}),
        recipe="reviews",
        metric="accuracy",
        target=0.88,
        metrics=("accuracy", "f1_macro", "mcc"),
        rows={"train": 1000, "validation": 200, "test": 200, "rejected": 3},
        trainable_parameters=12345,
        digests={"data": "ab" * 32},
        created="2026-03-02T10:15:00+00:00",
    )


@pytest.fixture
def card() -> str:
    return model_card(report_on(), model="reviews", recipe=RECIPE, base={"license": "Apache 2.0"})


def test_hugging_face_reads_the_card_and_finds_every_metric(card: str) -> None:
    data = ModelCard(card, ignore_metadata_errors=False).data
    assert (data.license, data.pipeline_tag, data.base_model) == (
        "apache-2.0",
        "text-classification",
        "wheel://a-model==1.0/a_model/model",
    )
    found = {result.metric_type: result for result in data.eval_results}
    assert set(found) == {"accuracy", "f1", "matthews_correlation"}
    accuracy = report_on().deciding
    assert found["accuracy"].metric_value == accuracy.value
    assert found["accuracy"].metric_args == {"low": accuracy.low, "high": accuracy.high, "confidence": 0.95}


def test_the_card_says_what_is_known_and_what_is_not(card: str) -> None:
    for said in (
        "**Met: accuracy 0.900 (95 % interval",
        "The interval reaches below the target",
        "from the same data set as the training rows",
        "language of the texts was not recorded",
        "200 test rows leave the accuracy uncertain",
        "| majority | 0.500 |",
        "train 1,000, validation 200, test 200, rejected 3",
        "LoRA, 12,345 trained parameters",
        "| training.early\\_stopping.patience | 2 |",
    ):
        assert said in card


def test_a_missing_or_unusual_license_is_said_and_never_guessed() -> None:
    def matter(base: dict[str, str]) -> dict[str, Any]:
        return yaml.safe_load(model_card(report_on(), model="m", recipe=RECIPE, base=base).split("---\n")[1])

    assert matter({})["license"] == "unknown"
    unusual = matter({"license": "Be Kind 1.0"})
    assert (unusual["license"], unusual["license_name"]) == ("other", "Be Kind 1.0")
    assert "states no license" in model_card(report_on(), model="m", recipe=RECIPE, base={})


def test_a_known_language_is_stated() -> None:
    card = model_card(report_on(), model="m", recipe=RECIPE, base={}, language="en")
    assert yaml.safe_load(card.split("---\n")[1])["language"] == "en"
    assert "in one language (en)" in card


def test_texts_from_a_recipe_or_the_data_change_neither_matter_nor_markup() -> None:
    recipe = {**RECIPE, "data": {"source": HOSTILE, "columns": {"text": HOSTILE, "label": HOSTILE}}}
    base = {"license": HOSTILE, "x": HOSTILE}
    card = model_card(report_on((HOSTILE, "yes")), model=HOSTILE, recipe=recipe, base=base)
    body = card.split("\n---\n", 1)[1]
    read = ModelCard(card).data
    assert (read.license, read.license_name) == ("other", HOSTILE)
    assert "<" not in body
    assert "`" not in body.replace("\\`", "")
    assert next(line for line in body.splitlines() if line.startswith("#")) == f"# {escaped(HOSTILE)}"
    assert "\n# heading" not in body
    widths = {line.replace("\\|", "").count("|") for line in body.splitlines() if line.startswith("| ")}
    assert widths == {3, 4, 6}
