from collections.abc import Callable
from dataclasses import replace

import pytest

from luthier.evaluation.aspects import seeds
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.test_reads import Reading, TestReads
from luthier.evaluation.wording import reads_sentence
from tests.unit.evaluation.examinations import examination

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
NOW = Reading("reviews", "adapter", "lora", 17, "accuracy", "2026-03-02T12:00:00+00:00")


def test_intervals_are_wider_the_more_models_were_tried_on_the_split(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    alone, later = make_report(test), make_report(test, reads=TestReads((NOW,) * 5))
    assert alone.deciding.value == later.deciding.value
    for name in ("accuracy", "f1_macro", "roc_auc"):
        assert later.metrics[name].low < alone.metrics[name].low
        assert later.metrics[name].high > alone.metrics[name].high
    assert later.baselines["tf-idf"].low < alone.baselines["tf-idf"].low


def test_the_corrected_interval_may_be_what_the_target_is_missed_by(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    low = make_report(test).deciding.low
    asked = {"target": low - 1e-6, "require": "lower_bound"}
    assert make_report(test, **asked).verdict == "met"
    assert make_report(test, **asked, reads=TestReads((NOW,) * 5)).verdict == "short"


def test_the_page_says_how_often_the_split_was_read(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    assert reads_sentence(make_report(test)) is None
    said = reads_sentence(make_report(test, reads=TestReads((NOW,) * 5)))
    assert said is not None and "reading 5" in said and "99 %" in said


@pytest.fixture
def examined(test_rows: Rows) -> Callable[..., seeds.SeedSpread | None]:
    def examine(*earlier: Reading) -> seeds.SeedSpread | None:
        return seeds.examine(examination(test_rows(("no", "yes")), reads=TestReads((*earlier, NOW))))

    return examine


def test_other_seeds_of_the_same_values_are_the_spread(examined: Callable[..., seeds.SeedSpread | None]) -> None:
    found = examined(replace(NOW, seed=18, value=0.5), replace(NOW, seed=19, value=0.6))
    assert found is not None and list(found.scores) == [17, 18, 19]
    assert found.spread == pytest.approx(max(found.scores.values()) - 0.5)


@pytest.mark.parametrize(
    "changed",
    [{"configuration": "full"}, {"metric": "f1_macro"}, {"value": None}, {"seed": 17}],
    ids=["other values", "another metric", "broke off", "the same seed"],
)
def test_what_differs_in_more_than_the_seed_or_in_less_is_no_spread(
    examined: Callable[..., seeds.SeedSpread | None], changed: dict
) -> None:
    assert examined(replace(NOW, **{"seed": 18, "value": 0.5, **changed})) is None
