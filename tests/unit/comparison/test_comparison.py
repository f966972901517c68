from collections.abc import Callable

import pytest

from luthier.comparison.comparison import MethodComparison, MethodResult
from luthier.evaluation.scores import Score
from tests.unit.comparison.conftest import comparison_of, method_result, seed_result


def test_a_method_is_the_mean_of_its_seeds_and_its_interval_that_of_their_bounds() -> None:
    seeds = (
        seed_result(17, 0.80, score=Score(0.80, 0.70, 0.86), peak_memory=7, rows_per_second=10.0, training_seconds=1.0),
        seed_result(18, 0.90, score=Score(0.90, 0.86, 0.92), peak_memory=9, rows_per_second=20.0, training_seconds=4.0),
    )
    found = MethodResult("lora", {}, {}, seeds)
    assert (found.score.value, found.score.low, found.score.high) == pytest.approx((0.85, 0.78, 0.89))
    assert found.spread == (0.80, 0.90)
    assert found.peak_memory == 9
    assert (found.rows_per_second, found.training_seconds) == (15.0, 2.5)
    assert found.trainable_share == pytest.approx(222_338 / 22_700_000)


def test_methods_are_ranked_by_score_whichever_way_is_better_and_failures_stand_apart() -> None:
    methods = [method_result("a", (0.5,)), method_result("b", (0.9,)), MethodResult("c", {}, {}, failure="it broke")]
    assert [found.kind for found in comparison_of(*methods).ranked] == ["b", "a"]
    assert [found.kind for found in comparison_of(*methods, metric="mse").ranked] == ["a", "b"]
    assert comparison_of(*methods).failed == {"c": "it broke"}
    assert comparison_of(*methods).found("c") is None


def test_what_was_written_is_read_again(nine: Callable[..., MethodComparison], tmp_path) -> None:
    from luthier.comparison.report import read_comparison, write_comparison

    comparison = nine(left_out={"adalora": "unknown"})
    write_comparison(comparison, tmp_path)
    assert read_comparison(tmp_path) == comparison
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"comparison.json", "comparison.html", "comparison.md", "parameters.png", "memory.png"}
