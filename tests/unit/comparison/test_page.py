import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from luthier.comparison.comparison import MethodComparison, MethodResult
from luthier.comparison.page import render_page
from tests.html_page import Page
from tests.unit.comparison.conftest import comparison_of, method_result

Nine = Callable[..., MethodComparison]


def test_the_page_answers_top_down(nine: Nine) -> None:
    text = " ".join(Page(render_page(nine())).text.split())
    order = [
        "full scores best: accuracy 0.851",
        "The test split was not read",
        "Beside the literature",
        "lora is 0.3 points below full",
        "Score against cost",
        "How each was trained",
        "Where it came from",
        "17, 18, 19",
        "a processor (cpu, 2 threads)",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    table = text[text.index("Scores and costs") :]
    ranked = [table.index(f"{found.kind} 0.") for found in nine().ranked]
    assert ranked == sorted(ranked)


def test_hostile_names_stay_text_and_nothing_is_loaded(nine: Nine, hostile: str) -> None:
    methods = [
        replace(method_result(hostile, (0.8, 0.7), processor=hostile), method={"kind": hostile, "init": hostile}),
        MethodResult(f"b{hostile}", {}, {"learning_rate": 0.1}, failure=hostile),
    ]
    page = Page(render_page(comparison_of(*methods, recipe=hostile, left_out={hostile: hostile})))
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "a", "base", "link"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert "{{ 7 * 7 }}" in page.text and not re.findall(r"\]\]> --> \d", page.text)
    # Recipe, title, headline, both rows and their reasons, what was left out, settings, hardware, two pictures.
    assert page.text.count(hostile) >= 12


def test_a_method_that_failed_or_was_left_out_is_a_row_with_its_reason(nine: Nine) -> None:
    failed = MethodResult("ia3", {}, {"learning_rate": 0.1}, failure="it broke")
    comparison = comparison_of(method_result("lora"), failed, left_out={"prefix": "no keys"})
    text = " ".join(Page(render_page(comparison)).text.split())
    assert "ia3 Failed: it broke" in text
    assert "prefix Not tried: no keys" in text


@pytest.mark.parametrize(("metric", "way"), [("accuracy", "up and to the left"), ("mse", "down and to the left")])
def test_the_better_way_is_the_metrics(nine: Nine, metric: str, way: str) -> None:
    assert f"{way} is better" in Page(render_page(nine(metric=metric))).text


def test_one_method_with_one_seed_gets_a_page() -> None:
    assert "One training of each method" in Page(render_page(comparison_of(method_result("lora"), seeds=(17,)))).text
