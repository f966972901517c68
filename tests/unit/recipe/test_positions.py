"""YAML: plain values, the line of every field, and one problem for a file that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.recipe.positions import MalformedYaml, parse_value, read_document, to_yaml
from luthier.recipe.problems import RecipeError

AMBIGUOUS = ["no", "1e3", "08", "~", "", "12:30", "<<", "=", "0x1F", ".5", "- a", "a: b", "true", "2026-01-01"]
TEXTS = st.sampled_from(AMBIGUOUS) | st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXTS, SCALARS, max_size=3))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("5.0e-4", 0.0005),
        ("32", 32),
        ("true", True),
        ("~", None),
        ("", None),
        ("08", "08"),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 2}}", {"a": {"b": 2}}),
    ],
)
def test_scalars_are_read_as_yaml_1_2_does(text, value):
    read = parse_value(text)

    assert (read, type(read)) == (value, type(value))


@given(VALUES)
def test_what_is_written_reads_back_the_same(values):
    assert parse_value(to_yaml(values)) == values


def test_every_field_and_item_has_its_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("# why\na: 1\nb:\n  c: {d: 2}\n  e:\n    - f\n    - g: 3\n")

    lines = read_document(path).lines

    assert lines == {"a": 2, "b": 3, "b.c": 4, "b.c.d": 4, "b.e": 5, "b.e.0": 6, "b.e.1": 7, "b.e.1.g": 7}


@pytest.mark.parametrize(
    ("content", "line", "rule"),
    [
        (b"a: 1\nb: [1,\n", 3, "is not YAML"),
        (b"a: 1\n\tb: 2\n", 2, "is not YAML"),
        (b"a: 1\nb: \x07\n", 2, "is not YAML"),
        (b"a: 1\n---\nb: 2\n", 2, "is not YAML"),
        (b"a: 1\nb: !!python/object:os.system {}\n", 2, "which no recipe needs"),
        (b"a: 1\n? [b]\n: 2\n", 2, "a key must be a plain name"),
        (b"a: &x {b: 1}\nc: *x\n", 2, "by an alias"),
        (b"a: &x\n  b: *x\n", 2, "by an alias"),
        (b"- a\n", 1, "must be a mapping"),
        (b"text\n", 1, "must be a mapping"),
        (b"", 1, "is empty"),
        (b"# only a comment\n", 1, "is empty"),
        (b"a: \xff\n", None, "is not UTF-8 text at byte 3"),
    ],
)
def test_a_file_that_is_no_mapping_of_plain_values_is_one_problem(tmp_path, content, line, rule):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    with pytest.raises(RecipeError) as caught:
        read_document(path)

    (problem,) = caught.value.problems
    assert problem.line == line
    assert rule in problem.rule


def test_an_unreadable_file_is_one_problem_without_a_line(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(RecipeError) as caught:
            read_document(path)
        assert str(caught.value.problems[0]).startswith(f"{path}: cannot be read: ")


def test_an_alias_of_one_value_is_fine():
    assert parse_value("{a: &seed 17, b: *seed}") == {"a": 17, "b": 17}


@pytest.mark.parametrize("text", ["!!int x", "!local 1", "!!timestamp 2026-01-01", "!!set {a}"])
def test_tags_that_mean_nothing_here_are_refused(text):
    with pytest.raises(MalformedYaml):
        parse_value(text)


def test_a_key_given_twice_is_refused_in_a_single_value():
    with pytest.raises(MalformedYaml, match="given twice"):
        parse_value("{a: 1, a: 2}")


def test_a_value_that_occurs_twice_is_written_twice():
    labels = ["a", "b"]

    assert parse_value(to_yaml({"x": labels, "y": labels})) == {"x": labels, "y": labels}
