"""The one sentence that says what to do next agrees with the verdict."""

from collections.abc import Callable
from dataclasses import replace

from luthier.evaluation.aspects import Aspects
from luthier.evaluation.aspects.diagnosis import Diagnosis
from luthier.evaluation.diagnosis.finding import Finding
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.next_step import SMALLER, next_step_sentence
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.report import EvaluationReport
from luthier.packaging.cost import ServingCost
from luthier.recipe.gate_section import GateSection

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
FOUND = Aspects(diagnosis=Diagnosis(on_test=(Finding("class confusion", "low", "Evidence.", "Look at both labels."),)))


def test_a_met_target_asks_for_nothing_and_a_finding_is_what_may_gain_more(test_rows: Rows, make_report: Make) -> None:
    met = make_report(test_rows(("no", "yes")), target=0.1)
    assert next_step_sentence(met) == "The target is met. Nothing has to be done."
    found = next_step_sentence(replace(met, aspects=FOUND))
    assert found == "The target is met. What may gain more: look at both labels."


def test_a_target_that_is_met_below_a_baseline_was_set_too_low(test_rows: Rows, make_report: Make) -> None:
    met = make_report(test_rows(("no", "yes")), target=0.1)
    worse, equal = (
        PairedDifference(low, low, high, p=0.01, confidence=0.95) for low, high in ((-0.3, -0.1), (-0.1, 0.1))
    )
    found = next_step_sentence(replace(met, aspects=FOUND, gains={"tf-idf": worse, "majority": equal}))
    assert found == "The target is met, but a baseline does better (tf-idf): set evaluation.target above it."


def test_a_short_report_names_the_remedy_or_a_round_of_tuning(test_rows: Rows, make_report: Make) -> None:
    short = make_report(test_rows(("no", "yes")), target=0.999)
    assert next_step_sentence(short) == "Tune it: luthier tune reviews."
    assert next_step_sentence(replace(short, aspects=FOUND)) == "Look at both labels."
    # A report of before there was a gate has no condition, and can be tuned nonetheless.
    old = replace(short, gate=())
    assert old.can_be_tuned and next_step_sentence(old) == "Tune it: luthier tune reviews."


def test_what_no_tuning_mends_is_said_where_it_is_all_that_is_short(test_rows: Rows, make_report: Make) -> None:
    test, cost = test_rows(("no", "yes")), ServingCost(megabytes=90.0, latency_ms=12.0, latency_p95_ms=20.0, rows=50)
    slow = make_report(test, target=0.1, cost=cost, gate=GateSection(latency_ms=1.0), aspects=FOUND)
    assert not slow.can_be_tuned
    assert next_step_sentence(slow) == f"{SMALLER}: a row takes 12.0 ms, more than 1."
    slow_and_wrong = make_report(test, target=0.999, cost=cost, gate=GateSection(latency_ms=1.0))
    assert slow_and_wrong.can_be_tuned and slow_and_wrong.untunable == ()
