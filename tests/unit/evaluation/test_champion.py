"""A served champion, a real small one, asked the test rows of another model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.evaluation.champion import BesideChampion, Champion, compare_with_champion
from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.promotion import Incumbent, promotion
from luthier.packaging.merging import write_servable
from luthier.packaging.serving import ServedModel
from luthier.recipe.schema import EvaluationSection
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import Inference
from tests.tiny_models import WORDS, write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, rows, tuned

HOW = Inference(max_length=32, generated_rows=30)
ROWS = 60


def texts(seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [f"{' '.join(random.choice(WORDS, 6))} {seed}{row}" for row in range(ROWS)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ServedModel]:
    made: dict[str, ServedModel] = {}

    def of(kind: str) -> ServedModel:
        if kind not in made:
            task, family = ASKED[kind]
            folder = tmp_path_factory.mktemp(kind)
            base = write_tiny_model(family, folder / "base")
            model = tuned(base, HEADS[kind], folder / "tuned", kind="lora", r=2, alpha=4)
            write_servable(model.method, base, model.folder, model.head, folder / "plain")
            made[kind] = ServedModel(folder / "plain", model.serving(task))
        return made[kind]

    return of


def answered(model: ServedModel, given: pa.Table, *, kind: str, how: Inference = HOW) -> Evaluated:
    """What a candidate that is the champion itself answers."""
    task = TASKS[ASKED[kind][0]]
    return Evaluated(task, model.serving.head, kind, given, model.predict(given, how))


def classified(labels: list[str], names: tuple[str, ...]) -> pa.Table:
    ids = pa.array([names.index(label) for label in labels])
    return rows(texts(1), label=labels).set_column(4, "label_id", ids)


def asked(model: ServedModel, test: Evaluated, metric: str, seen: Path | None = None, **more: Any) -> BesideChampion:
    champion = Champion("m", "1", "d", load=lambda: model, seen=(seen,) if seen else ())
    evaluation = EvaluationSection(**{"metric": metric, "target": 0.1, **more})
    return compare_with_champion(champion, test, how=HOW, evaluation=evaluation, threshold=0.8)


def compared(model: ServedModel, test: Evaluated, metric: str, seen: Path | None = None) -> ChampionComparison:
    return asked(model, test, metric, seen).comparison


def labels(seed: int = 0) -> list[str]:
    return np.random.default_rng(seed).choice(HEADS["single"].labels, ROWS).tolist()


def test_the_champion_beside_itself_is_alike_whatever_the_order_of_the_labels(served):
    model = served("single")
    given = classified(labels(), model.serving.head.labels)
    same = compared(model, answered(model, given, kind="single"), "accuracy")
    assert same.outcome == "alike" and same.rows == ROWS and same.candidate == same.champion
    # Another head with the labels the other way round, whose answers are the very same.
    turned = Head("sequence-classification", model.serving.head.labels[::-1], model.serving.head.problem)
    found = answered(model, classified(labels(), turned.labels), kind="single")
    evidence = [numbers[::-1] for numbers in found.predictions.evidence]
    test = replace(found, head=turned, predictions=replace(found.predictions, evidence=evidence))
    assert compared(model, test, "accuracy") == same
    assert compared(model, test, "roc_auc").outcome == "alike"


def test_rows_that_it_was_trained_or_validated_on_do_not_count(served, tmp_path):
    model = served("single")
    test = answered(model, classified(labels(), model.serving.head.labels), kind="single")
    for split, chosen in (("train", slice(0, 10)), ("validation", slice(10, 15)), ("test", slice(15, 60))):
        pq.write_table(test.rows[chosen], tmp_path / f"{split}.parquet")
    found = compared(model, test, "accuracy", tmp_path)
    assert (found.rows, found.left_out) == (45, 15)
    answers = asked(model, test, "accuracy", tmp_path).answers
    assert answers is not None and answers.places == tuple(range(15, 60))
    assert list(answers.predictions.answers) == list(test.predictions.answers)[15:]
    pq.write_table(test.rows[:45], tmp_path / "train.parquet")
    few = compared(model, test, "accuracy", tmp_path)
    assert (few.left_out, few.outcome) == (45, "not comparable")
    assert asked(model, test, "accuracy", tmp_path).answers is None
    assert "15 test rows are new to it" in str(few.reason)


def test_the_champion_reaches_the_target_by_what_is_required_of_the_new_model_too(served):
    model = served("single")
    test = answered(model, classified(labels(), model.serving.head.labels), kind="single")
    score = compared(model, test, "accuracy").champion
    between = (score.low + score.value) / 2
    for require, target, reaches in (
        ("point", between, True),
        ("lower_bound", between, False),
        ("lower_bound", score.low, True),
    ):
        found = asked(model, test, "accuracy", target=target, require=require).comparison
        assert found.reaches_target is reaches


def test_other_labels_and_another_kind_of_work_are_no_comparison(served):
    model = served("single")
    test = answered(model, classified(labels(), model.serving.head.labels), kind="single")
    other = replace(test, head=replace(test.head, labels=("bad", "fair")))
    found = compared(model, other, "accuracy")
    assert found.outcome == "not comparable" and "without fair and with good" in str(found.reason)
    assert "it does regression" in str(compared(served("number"), test, "accuracy").reason)
    assert "its task is token-classification" in str(compared(served("tags"), test, "accuracy").reason)


def test_perplexity_over_other_tokens_is_no_comparison_and_texts_are_compared_where_there_are_any(
    served, test_rows, make_report
):
    model = served("causal")
    answers = [f"the film was good {text}" for text in texts(2)]
    given = rows(texts(1), label=answers)
    same = answered(model, given, kind="causal")
    assert compared(model, same, "perplexity").outcome == "alike"
    generated = compared(model, same, "chrf")
    assert (generated.rows, generated.outcome) == (30, "alike")
    cut = answered(model, given, kind="causal", how=replace(HOW, max_length=20))
    found = compared(model, cut, "perplexity")
    assert found.outcome == "not comparable" and "another tokenizer or max_length" in str(found.reason)
    report = make_report(test_rows(("no", "yes")), target=0.1, champion=found)
    assert promotion(report, Incumbent("1", "d", "of the champion"), adapter="another").alias == "challenger"


def test_what_cannot_be_asked_says_why(served):
    model = served("single")
    test = answered(model, classified(labels(), model.serving.head.labels), kind="single")

    def broken() -> ServedModel:
        raise OSError("no weights")

    evaluation = EvaluationSection(metric="accuracy", target=0.1)
    for champion, reason in (
        (Champion("m", "1", "d", obstacle="the artifact is gone"), "the artifact is gone"),
        (Champion("m", "1", "d", load=broken), "it cannot be loaded: no weights"),
    ):
        found = compare_with_champion(champion, test, how=HOW, evaluation=evaluation, threshold=0.8).comparison
        assert (found.reason, found.outcome) == (reason, "not comparable")
