import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard

from luthier.evaluation.aspects import examined
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.evaluating import evaluate
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.test_reads import NEVER_READ, Reading, TestReads
from luthier.methods import METHODS as KNOWN_METHODS
from luthier.packaging.model_card import METHODS, card_summary, escaped, model_card
from luthier.recipe.schema import EvaluationSection
from tests.unit.evaluation.answered import SAMPLES, classified
from tests.unit.evaluation.classifiers import sampled
from tests.unit.evaluation.examinations import calibrated

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
    test = classified(names, labels, np.eye(2)[chosen], majority=np.zeros(200, dtype=int))
    return report_of(test, "accuracy", target=0.88)


def report_of(test: Evaluated, metric: str, target: float = 0.5, reads: TestReads = NEVER_READ) -> EvaluationReport:
    return evaluate(
        test,
        EvaluationSection(metric=metric, target=target),
        recipe="reviews",
        rows={"train": 1000, "validation": 200, "test": len(test.rows), "rejected": 3},
        trainable_parameters=12345,
        digests={"data": "ab" * 32},
        created="2026-03-02T10:15:00+00:00",
        reads=reads,
    )


@pytest.fixture
def card() -> str:
    return model_card(report_on(), model="reviews", recipe=RECIPE, base={"license": "Apache 2.0"})


@pytest.mark.parametrize(
    ("section", "given", "said"),
    [
        ("base_model", {"source": None, "adapter_of": "reviews"}, "champion of reviews"),
        ("data", {"source": None, "train": ["a.csv", "b.csv"], "test": "c.csv"}, "a.csv, b.csv, c.csv"),
        ("data", {"source": ["a.csv", "b.csv"]}, "a.csv, b.csv"),
    ],
)
def test_a_base_or_rows_without_one_address_are_named_all_the_same(section: str, given: Any, said: str) -> None:
    recipe = {**RECIPE, section: {**RECIPE[section], **given}}
    matter, body = model_card(report_on(), model="m", recipe=recipe, base={}).removeprefix("---\n").split("---\n", 1)
    found = yaml.safe_load(matter)
    assert said in (found["base_model"], found["model-index"][0]["results"][0]["dataset"]["name"])
    assert said in body.splitlines() or f"{said}, text from text, label from stars > 3." in body.replace("&gt;", ">")


def test_hugging_face_reads_the_card_and_finds_every_metric(card: str) -> None:
    data = ModelCard(card, ignore_metadata_errors=False).data
    assert (data.license, data.pipeline_tag, data.base_model) == (
        "apache-2.0",
        "text-classification",
        "wheel://a-model==1.0/a_model/model",
    )
    found = {result.metric_type: result for result in data.eval_results}
    assert set(found) == {"accuracy", "f1", "matthews_correlation", "roc_auc"}
    accuracy = report_on().deciding
    assert found["accuracy"].metric_value == accuracy.value
    assert found["accuracy"].metric_args == {"low": accuracy.low, "high": accuracy.high, "confidence": 0.95}


def test_a_card_says_how_often_the_test_split_was_read_and_what_its_intervals_hold_with() -> None:
    reading = Reading("reviews", "adapter", "lora", 17, "accuracy", "2026-03-02T12:00:00+00:00")
    report = report_of(SAMPLES["multi-label"](), "f1_micro", reads=TestReads((reading,) * 5))
    card = model_card(report, model="m", recipe=RECIPE, base={})
    (result,) = [found for found in ModelCard(card).data.eval_results if found.metric_name == "micro F1"]
    assert result.metric_args == {
        "low": report.deciding.low,
        "high": report.deciding.high,
        "confidence": pytest.approx(0.99),
    }
    scores = card.partition("## Scores")[2].partition("\n## ")[0]
    assert "This is reading 5 of this test split." in scores and "one of 99 %" in scores
    assert "This is reading" not in model_card(report_on(), model="m", recipe=RECIPE, base={})


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
    assert widths == {3, 4, 6, 7}


@pytest.mark.parametrize(
    ("sample", "metric", "types", "said"),
    [
        ("multi-label", "f1_micro", {"f1", "accuracy"}, "Labels other than the 3 above are never given."),
        ("regression", "mse", {"mse", "pearsonr", "spearmanr"}, "Every text gets a number"),
        ("tags", "seqeval_f1", {"f1", "precision", "recall"}, "Only entities of the kinds above are found."),
        ("questions", "squad_f1", {"f1", "exact_match"}, "An answer is always a stretch of the given text"),
        ("generations", "rouge_l", {"rouge", "perplexity", "chrf", "exact_match"}, "What it writes may be false"),
    ],
)
def test_every_task_has_a_card_that_hugging_face_reads(sample: str, metric: str, types: set[str], said: str) -> None:
    test = SAMPLES[sample]()
    recipe = {**RECIPE, "task": test.task.name, "data": {"source": "rows.csv", "columns": None}}
    card = model_card(report_of(test, metric), model="m", recipe=recipe, base={})
    data = ModelCard(card, ignore_metadata_errors=False).data
    assert data.pipeline_tag == test.task.name
    assert {result.metric_type for result in data.eval_results} == types
    assert said in card
    assert ("| label | precision |" in card) == (sample == "multi-label")
    assert ("of the 8 test rows" in card) == (sample == "generations")


def test_a_summary_has_whole_sections_in_what_a_registry_keeps_and_no_front_matter(card: str) -> None:
    assert card_summary(card) == card.split("\n---\n", 1)[1].strip()
    long = card.replace("## Limits", "## Limits\n" + "x" * 4000)
    cut = card_summary(long)
    assert len(cut) <= 5000 and cut.startswith("# reviews") and "## Limits" not in cut and "## Method" in cut
    assert cut.endswith("README.md among this version's files.")
    assert len(card_summary("---\na: b\n---\n" + "y" * 9000)) == 5000


def test_every_method_has_a_name() -> None:
    assert KNOWN_METHODS.keys() <= METHODS.keys()


def card_of(*, several: bool, validated: int, examine: bool = True) -> str:
    rows, validation = (sampled(("a", "b"), n, several=several, seed=seed) for n, seed in ((300, 1), (validated, 2)))
    given = calibrated(rows, validation)
    report = replace(report_of(given.test, "f1_micro"), calibration=given.calibration)
    report = replace(report, aspects=examined(given)) if examine else report
    return model_card(report, model="m", recipe=RECIPE, base={})


def test_the_card_says_how_well_probabilities_are_calibrated() -> None:
    card = card_of(several=False, validated=200)
    assert re.search(r"by a temperature of [\d.]+, fitted on 200 validation rows", card)
    assert re.search(r"calibration error on the test rows is 0\.\d{3} \(95 % interval 0\.\d{3} to 0\.\d{3}\)", card)
    assert "probability of its own" not in card
    assert "A label is given from a probability of its own." in card_of(several=True, validated=200)
    assert "not calibrated, for want of validation rows: their expected calib" in card_of(several=False, validated=20)
    assert "was not measured" in card_of(several=False, validated=200, examine=False)
