import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.label_values import Labels, Target
from luthier.data.unusable import Unusable
from luthier.errors import DataError
from luthier.recipe.data_section import DataSection

TEXT = "Ann met Bob in Rome"


def _labels(label: str = "label", **data: Any) -> Labels:
    recipe = {"source": "rows.csv", "columns": {"text": "text", "label": label}, **data}
    return Labels.of(DataSection.model_validate(recipe), ["text", "label", "label score"])


def _target(label: str | None, labels: Labels) -> Target:
    return labels.target({"label": label}, TEXT, str.strip)


def _reason(label: str | None, labels: Labels) -> tuple[str, str]:
    with pytest.raises(Unusable) as raised:
        _target(label, labels)
    return raised.value.kind, raised.value.reason


@pytest.mark.parametrize(
    ("expression", "labels", "value", "name"),
    [
        ("label > 0", None, "1", "true"),
        ("label > 0", None, "-1", "false"),
        ("label > 0", ["negative", "positive"], "1", "positive"),
        ("label", None, " good \x00 ", "good"),
        ("label", None, "cafe\u0301", "caf\xe9"),
        ("label", None, "3.0", "3.0"),
        ("label + 1", None, "2", "3"),
        ("label / 2", None, "1", "0.5"),
        ("label", ["1", "0"], "1", "1"),
    ],
)
def test_a_single_label(expression: str, labels: list[str] | None, value: str, name: str) -> None:
    assert _target(value, _labels(expression, labels=labels)) == name


@pytest.mark.parametrize("kind", ["single", "number", "spans", "tags", "answers", "text", "multi"])
def test_a_row_without_a_label_says_so(kind: str) -> None:
    assert _reason(None, _labels(label_kind=kind)) == ("missing label", "missing label")
    if kind != "multi":
        assert _reason("  ", _labels(label_kind=kind)) == ("missing label", "missing label")


def test_an_expression_that_fails_on_a_row_says_why() -> None:
    assert _reason("many", _labels("label > 0")) == ("label not computable", "label: not a number: 'many'")
    assert _reason("", _labels("label > 0")) == ("missing label", "missing label")


def test_a_label_that_is_not_listed_says_so_and_a_long_one_is_cut() -> None:
    labels = _labels(labels=["good", "bad"])
    assert _reason("ugly", labels) == ("label not in labels", "label 'ugly' is not one of 'good', 'bad'")
    assert len(_reason("u" * 1000, labels)[1]) < 120


def test_labels_are_renamed_before_they_are_looked_up() -> None:
    labels = _labels(labels=["bad", "good"], label_map={"1 ": "good", "0": "bad"})
    assert [_target(value, labels) for value in ("1", " 0", "good")] == ["good", "bad", "good"]
    assert _reason("2", labels)[0] == "label not in labels"
    assert _target("2", _labels(label_map={"1": "good"})) == "2"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("b, a,b", ["a", "b"]),
        ("", []),
        (" , ", []),
        ('["b", "a, c"]', ["a, c", "b"]),
        ("[]", []),
        ("[2, 1]", ["1", "2"]),
        ("x", ["y"]),
    ],
)
def test_several_labels_are_sorted_and_each_there_once(value: str, names: list[str]) -> None:
    assert _target(value, _labels(label_kind="multi", label_map={"x": "y"})) == names


def test_several_labels_have_the_separator_of_the_recipe_and_are_looked_up() -> None:
    labels = _labels(label_kind="multi", label_separator="|", labels=["a", "b, c"])
    assert _target("b, c|a", labels) == ["a", "b, c"]
    assert _reason("a|c", labels)[0] == "label not in labels"


@pytest.mark.parametrize("value", ["['a']", '["a"', "[null]", "[true]", '[["a"]]', "[1.5]", "[" * 100_000])
def test_a_list_of_labels_that_is_broken_is_no_list(value: str) -> None:
    assert _reason(value, _labels(label_kind="multi"))[0] == "label not computable"


def test_a_number() -> None:
    assert _target(" -2.5e1 ", _labels(label_kind="number")) == -25.0
    assert _target("3", _labels("label / 2", label_kind="number")) == 1.5


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e999", "3,5", "three"])
def test_what_is_no_number_says_so(value: str) -> None:
    assert _reason(value, _labels(label_kind="number")) == (
        "label not a number",
        f"label {value!r} is not a number",
    )


def _spans(*spans: tuple[int, int, str]) -> str:
    return json.dumps([{"start": start, "end": end, "label": label} for start, end, label in spans])


def test_spans_come_in_the_order_of_the_text() -> None:
    value = _spans((8, 11, "person"), (0, 3, "person"), (15, 19, "loc"))
    found = _target(value, _labels(label_kind="spans", label_map={"loc": "place"}))
    assert [(TEXT[s["start"] : s["end"]], s["label"]) for s in found] == [
        ("Ann", "person"),
        ("Bob", "person"),
        ("Rome", "place"),
    ]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (_spans((0, 20, "a")), "span out of range"),
        (_spans((-1, 2, "a")), "span out of range"),
        (_spans((3, 3, "a")), "span empty"),
        (_spans((5, 3, "a")), "span empty"),
        (_spans((0, 5, "a"), (4, 6, "b")), "spans overlap"),
        (_spans((0, 5, "a"), (0, 5, "a")), "spans overlap"),
        (_spans((0, 5, " ")), "broken spans"),
        ("{}", "broken spans"),
        ("[1]", "broken spans"),
        ("[", "broken spans"),
        ("0-5 a", "broken spans"),
        ('[{"start": 0, "end": 5}]', "broken spans"),
        ('[{"start": 0.0, "end": 5, "label": "a"}]', "broken spans"),
        ('[{"start": false, "end": true, "label": "a"}]', "broken spans"),
        ('[{"start": false, "end": 5, "label": "a"}]', "broken spans"),
        ('[{"start": "0", "end": "5", "label": "a"}]', "broken spans"),
    ],
)
def test_spans_that_mark_nothing_sensible_say_why(value: str, kind: str) -> None:
    assert _reason(value, _labels(label_kind="spans"))[0] == kind


def test_spans_may_touch_and_may_be_none() -> None:
    labels = _labels(label_kind="spans", labels=["a", "b"])
    assert len(_target(_spans((0, 3, "a"), (3, 19, "b")), labels)) == 2
    assert _target("[]", labels) == []
    assert _reason(_spans((0, 3, "c")), labels)[0] == "label not in labels"


@given(st.text(), st.sampled_from(["single", "multi", "number", "spans", "tags", "answers", "text"]))
def test_no_text_in_the_label_column_is_more_than_unusable(value: str, kind: str) -> None:
    try:
        _target(value, _labels(label_kind=kind))
    except Unusable as unusable:
        assert unusable.kind and unusable.reason


@pytest.mark.parametrize(
    ("label", "data", "what"),
    [
        ("label", {"labels": ["1", "1 "]}, "different names"),
        ("label", {"labels": ["1", " "]}, "different names"),
        ("label", {"labels": ["a", "b"], "label_map": {"1": "c"}}, "names that data.labels lacks"),
        ("label", {"label_map": {"1": " "}}, "names that data.labels lacks"),
        ("label", {"label_map": {"1": "a", "1 ": "b"}}, "one label twice"),
        ("label > 0", {"label_map": {"true": "good"}}, "label_map"),
        ("label > 0", {"label_kind": "number"}, "true or false"),
        ("label > 0", {"label_kind": "multi"}, "true or false"),
        ("label + 1", {"label_kind": "multi"}, "one column"),
        ("label + 1", {"label_kind": "spans"}, "one column"),
        ("label + 1", {"label_kind": "text"}, "one column"),
        ("label", {"label_kind": "number", "labels": ["1", "2"]}, "no names"),
        ("label", {"label_kind": "text", "label_map": {"1": "2"}}, "no names"),
        ("label > 0", {"label_kind": "tags"}, "true or false"),
        ("label + 1", {"label_kind": "answers"}, "one column"),
        ("label", {"label_kind": "answers", "labels": ["1", "2"]}, "no names"),
        (
            "label",
            {"label_kind": "tags", "labels": ["a", "b"], "label_map": {"1": "B-c"}},
            "names that data.labels lacks",
        ),
    ],
)
def test_labels_that_contradict_each_other_are_refused(label: str, data: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError, match=what) as raised:
        _labels(label, **data)
    assert raised.value.remedy


def test_a_column_whose_name_is_no_identifier_is_a_column() -> None:
    row = {"label score": "1"}
    assert _labels("label score").target(row, TEXT, str.strip) == "1"
