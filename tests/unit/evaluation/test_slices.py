import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter
from scipy import stats

from luthier.evaluation.aspects import Aspects, examined
from luthier.evaluation.aspects.slices import Slices, answered, examine
from luthier.evaluation.evaluated import Evaluated
from luthier.recipe.gate_section import GateSection
from tests.unit.evaluation.answered import SAMPLES, classified
from tests.unit.evaluation.examinations import examination


def rows_of(
    *, rows: int = 400, accuracy: float = 0.85, bad: float | None = None, seed: int = 0, topics: int = 5
) -> Evaluated:
    """Rows of five topics; ``bad`` is the accuracy on the topic named bad, that of the others by default."""
    random = np.random.default_rng(seed)
    labels, topic = random.integers(0, 2, rows), random.integers(0, topics, rows)
    chance = np.where(topic == 0, accuracy if bad is None else bad, accuracy)
    predicted = np.where(random.random(rows) < chance, labels, 1 - labels)
    likely = random.uniform(0.55, 1, rows)
    test = classified(("no", "yes"), labels, np.where(np.eye(2)[predicted] == 1, likely[:, None], 1 - likely[:, None]))
    names = [json.dumps({"topic": "bad" if each == 0 else f"topic {each}"}) for each in topic]
    texts = [" ".join(["word"] * int(words)) for words in random.integers(1, 60, rows)]
    return replace(
        test,
        rows=test.rows.set_column(1, "text", pa.array(texts))
        .append_column("file", pa.array([f"{each % 2}.csv" for each in random.integers(0, 9, rows)]))
        .append_column("slices", pa.array(names)),
    )


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "mcc", "roc_auc"])
def test_a_slice_that_a_model_is_bad_on_is_named(metric: str) -> None:
    found = examine(examination(rows_of(bad=0.4), metric=metric))
    assert found is not None
    assert found.worst is not None
    assert (found.worst.by, found.worst.name) == ("column topic", "bad")
    assert found.worst.difference is not None
    assert found.worst.difference.high < 0
    assert found.sentence.startswith("Worst slice: column topic, bad: ")


def test_of_rows_that_are_all_alike_no_slice_is_named_more_often_than_stated() -> None:
    seeds, rate = 150, 0.2
    reports = [examine(examination(rows_of(seed=seed), confidence=1 - rate)) for seed in range(seeds)]
    named = sum(report.worst is not None for report in reports if report)
    assert stats.binomtest(named, seeds, rate, alternative="greater").pvalue > 0.01
    # Nor is the correction so great that nothing could be named.
    assert named > 0


def test_rates_hold_for_a_metric_of_all_rows_together() -> None:
    seeds, rate = 25, 0.2
    test = [rows_of(seed=seed, rows=150, topics=3) for seed in range(seeds)]
    reports = [examine(examination(each, metric="f1_macro", confidence=1 - rate)) for each in test]
    named = sum(report.worst is not None for report in reports if report)
    assert stats.binomtest(named, seeds, rate, alternative="greater").pvalue > 0.01


def test_few_rows_are_shown_and_not_judged() -> None:
    found = examine(examination(rows_of(rows=60, bad=0.0)))
    assert found is not None
    few = [each for each in found.slices if each.by == "column topic" and each.rows < 20]
    assert few
    assert all(each.p is None and each.difference is None and each.score is not None for each in few)
    assert {each.unjudged for each in few} == {"fewer than 20 rows"}


def test_nearly_all_rows_are_no_slice_to_judge() -> None:
    test = rows_of(rows=100)
    values = [json.dumps({"kind": "rare" if row < 5 else "usual"}) for row in range(100)]
    rows = test.rows.set_column(test.rows.column_names.index("slices"), "slices", pa.array(values))
    found = examine(examination(replace(test, rows=rows)))
    assert found is not None
    reasons = {each.name: each.unjudged for each in found.slices if each.by == "column kind"}
    assert reasons == {"usual": "fewer than 20 other rows", "rare": "fewer than 20 rows"}


def test_the_slice_of_a_label_is_its_recall() -> None:
    test = rows_of()
    found = examine(examination(test, metric="f1_macro"))
    assert found is not None
    gold, predicted = test.compared("accuracy")
    for label, name in enumerate(("no", "yes")):
        (each,) = (one for one in found.slices if (one.by, one.name) == ("label", name))
        assert each.score is not None
        assert (each.metric, each.score.value) == (
            "accuracy",
            pytest.approx((predicted[gold == label] == label).mean()),
        )


METRICS = {
    "multi-label": "f1_micro",
    "regression": "pearson",
    "tags": "seqeval_f1",
    "questions": "squad_f1",
    "generations": "rouge_l",
}


@pytest.mark.parametrize("kind", METRICS)
def test_every_task_has_slices_that_survive_json(kind: str) -> None:
    given = SAMPLES[kind]()
    column = [json.dumps({"half": "one" if row % 2 else "two"}) for row in range(len(given.rows))]
    given = replace(given, rows=given.rows.append_column("slices", pa.array(column)))
    found = examine(examination(given, metric=METRICS[kind]))
    assert found is not None
    assert TypeAdapter(Slices).validate_json(json.dumps(asdict(found), allow_nan=False)) == found


def test_generated_metrics_slice_the_rows_that_text_was_generated_for() -> None:
    test = SAMPLES["generations"]()
    assert len(answered(test, "rouge_l").rows) == 8
    assert len(answered(test, "perplexity").rows) == 30


def gate_of(make_report: Callable[..., Any], slices: Slices | None, least: float, **aspects: Any) -> Any:
    found = Aspects(slices=slices, **aspects)
    report = make_report(rows_of(bad=0.4), target=0.1, gate=GateSection(slice=least), aspects=found)
    return report, next(each for each in report.gate if each.name == "slices")


def test_the_gate_names_the_slices_that_miss_it(make_report: Callable[..., Any]) -> None:
    slices = examine(examination(rows_of(bad=0.4)))
    report, condition = gate_of(make_report, slices, 0.6)
    assert (report.verdict, condition.passed) == ("short", False)
    assert "column topic, bad (0." in condition.reason
    assert "topic 1" not in condition.reason
    assert gate_of(make_report, slices, 0.1)[1].passed


def test_the_gate_fails_where_slices_could_not_be_scored(make_report: Callable[..., Any]) -> None:
    _, condition = gate_of(make_report, None, 0.1, impossible={"slices": "undefined: no row"})
    assert not condition.passed
    assert "undefined: no row" in condition.reason


def test_slices_that_another_metric_measures_are_not_held_to_the_gate(make_report: Callable[..., Any]) -> None:
    slices = examine(examination(rows_of(bad=0.4), metric="f1_macro"))
    report = make_report(
        rows_of(bad=0.4), metric="f1_macro", target=0.1, gate=GateSection(slice=0.99), aspects=Aspects(slices=slices)
    )
    (condition,) = (each for each in report.gate if each.name == "slices")
    assert "label" not in condition.reason


def test_at_most_twenty_are_shown_and_the_worst_is_among_them() -> None:
    test = rows_of(rows=2000, bad=0.4, topics=25)
    found = examine(examination(test))
    assert found is not None
    assert len(found.slices) > len(found.shown) == 20
    assert found.worst in found.shown


def test_the_page_names_the_worst_slice_and_escapes_what_data_says(
    make_report: Callable[..., Any], history: Any, hostile: str
) -> None:
    from luthier.evaluation.page import render_page

    test = rows_of(bad=0.3)
    values = [json.dumps({hostile: hostile if "bad" in said else "other"}) for said in test.rows["slices"].to_pylist()]
    rows = test.rows.set_column(test.rows.column_names.index("slices"), "slices", pa.array(values))
    test = replace(test, rows=rows)
    page = render_page(make_report(test, aspects=examined(examination(test))), history)
    assert "Worst slice: column" in page
    assert "<script" not in page
    assert "<img" not in page


def test_the_markdown_says_the_same_and_escapes_it(hostile: str) -> None:
    from luthier.evaluation.aspects.robustness import examine as robustness
    from luthier.evaluation.markdown import markdown_environment
    from luthier.evaluation.markdown_text import md
    from tests.unit.evaluation.test_robustness import asked, flip

    test = rows_of(bad=0.3)
    values = [json.dumps({f"a|b {hostile}": "one" if "bad" in s else "two"}) for s in test.rows["slices"].to_pylist()]
    rows = test.rows.set_column(test.rows.column_names.index("slices"), "slices", pa.array(values))
    test = replace(test, rows=rows)
    found = {
        "slices": examine(examination(test)),
        "robustness": robustness(examination(test, changed=asked(test, lambda text, label: flip(label)))),
    }
    for name, aspect in found.items():
        text = markdown_environment().get_template(f"{name}.md.j2").render(found=aspect)
        assert aspect is not None
        assert md(aspect.sentence) in text
        assert "<script" not in text
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert lines[1].startswith("|---")
        assert {line.replace(r"\|", "").count("|") for line in lines if "change |" not in line} <= {6, 7}
