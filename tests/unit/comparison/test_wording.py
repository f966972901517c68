from collections.abc import Callable
from dataclasses import replace

import pytest

from luthier.comparison.comparison import MethodComparison, MethodResult
from luthier.comparison.expectations import findings
from luthier.comparison.report import as_markdown
from luthier.comparison.wording import (
    duration,
    expectation_sentences,
    headline,
    in_bytes,
    method_settings,
    percent,
    scope_sentence,
    setting_columns,
    tie_sentence,
)
from tests.unit.comparison.conftest import comparison_of, method_result

Nine = Callable[..., MethodComparison]


def test_the_best_is_named_with_those_that_may_be_as_good_and_what_the_cheapest_of_them_costs(nine: Nine) -> None:
    assert headline(nine()) == (
        "full scores best: accuracy 0.851 (95 % interval 0.831 to 0.869), 100 % of the parameters trained."
    )
    assert tie_sentence(nine()) == (
        "The intervals of bottleneck, lora, qlora, bitfit and ia3 overlap with it: the difference may be chance. "
        "Among these, ia3 trains the fewest parameters (163,970) and qlora takes the least memory (842 MB)."
    )


def test_a_best_that_stands_apart_is_said_to(nine: Nine) -> None:
    apart = comparison_of(method_result("full", (0.9,)), method_result("prompt", (0.6,)))
    assert tie_sentence(apart) == "No other method's interval overlaps with that of full."
    assert tie_sentence(comparison_of(method_result("full"))) is None


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("lora", 0.845, "lora is 0.5 points below full: within about a point, as expected"),
        ("lora", 0.820, "the difference may be chance."),
        ("lora", 0.750, "the difference is more than chance."),
        ("bottleneck", 0.900, "bottleneck is 5.0 points above full, where the literature has it within about a point"),
        ("bitfit", 0.840, "bitfit is 1.0 points below full: level or a little lower, as expected"),
        ("bitfit", 0.850, "bitfit is level with full: level or a little lower, as expected"),
        ("bitfit", 0.870, "bitfit is 2.0 points above full, where the literature has it level or a little lower"),
        ("prompt", 0.700, "prompt is 15.0 points below full: well below, as expected"),
        ("prompt", 0.850, "the difference may be chance."),
        ("prompt", 0.900, "the difference is more than chance."),
    ],
)
def test_the_literature_is_held_against_the_numbers(kind: str, value: float, said: str) -> None:
    (sentence,) = expectation_sentences(comparison_of(method_result("full", (0.85,)), method_result(kind, (value,))))
    assert said in sentence


def test_nothing_is_expected_where_the_literature_says_nothing(nine: Nine) -> None:
    assert {found.expectation.kind for found in findings(nine())} == {"lora", "bottleneck", "bitfit", "prompt"}
    assert "prompt" not in {found.expectation.kind for found in findings(nine(architecture="decoder"))}
    assert findings(nine(metric="perplexity")) == ()
    assert "has none" in expectation_sentences(nine(metric="perplexity"))[0]
    decoder = comparison_of(method_result("lora"), method_result("prompt"), architecture="decoder")
    assert "says nothing of the other methods" in expectation_sentences(decoder)[0]
    assert "nothing to hold" in expectation_sentences(comparison_of(method_result("prompt")))[0]


def test_scores_say_which_rows_they_rest_on(nine: Nine) -> None:
    assert "3 trainings of each method, on the 1,061 validation rows" in scope_sentence(nine())
    assert "on 200 of the 1,061 validation rows" in scope_sentence(
        comparison_of(method_result("lora", scored_rows=200))
    )


def test_without_full_fine_tuning_lora_is_the_measure() -> None:
    (found,) = findings(comparison_of(method_result("lora", (0.85,)), method_result("bitfit", (0.84,))))
    assert found.reference == "lora"


def test_settings_show_what_differs_and_leave_out_what_is_off() -> None:
    full, lora = method_result("full"), method_result("lora")
    assert setting_columns(comparison_of(full, lora)) == ["learning_rate"]
    longer = replace(lora, training={**lora.training, "epochs": 10.0})
    assert setting_columns(comparison_of(full, longer)) == ["learning_rate", "epochs"]
    values = {"kind": "x", "r": 8, "use_dora": True, "dropout": 0.0, "quantization": {"type": "nf4"}}
    assert method_settings(replace(lora, method=values)) == "r 8, use_dora, quantization {type nf4}"


def test_numbers_are_written_short() -> None:
    assert [in_bytes(n) for n in (0, 999, 1000, 1_240_000, 999_999, 90_800_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "1.24 MB",
        "1 MB",
        "90.8 GB",
    ]
    assert [duration(s) for s in (0.6234, 48.4, 750)] == ["0.62 s", "48 s", "12.5 min"]
    assert [percent(share) for share in (1, 0.1234, 0.0123, 0.000345)] == ["100 %", "12 %", "1.2 %", "0.034 %"]


def test_markdown_has_a_row_a_method_in_the_order_of_their_scores_and_a_line_a_failure(nine: Nine) -> None:
    comparison = nine()
    failed = MethodResult("x", {}, {}, failure="line one\n| line two")
    text = as_markdown(replace(comparison, methods=(*comparison.methods, failed)))
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert [row.split(" | ")[0].lstrip("| ") for row in rows] == [found.kind for found in comparison.ranked]
    assert {row.count("|") for row in rows} == {12}
    assert "- x failed: line one | line two\n" in text
