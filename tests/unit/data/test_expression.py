import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.expression import Expression
from luthier.errors import DataError


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("sentiment > 0", {"sentiment": "1.4"}, True),
        ("sentiment > 0", {"sentiment": " -0.2 "}, False),
        ("  label  ", {"label": "good"}, "good"),
        ("stars >= 4 and verified == 'yes'", {"stars": "5", "verified": "no"}, False),
        ("not spam", {"spam": "0"}, True),
        ("not (a == 'x' or b != 2)", {"a": "y", "b": "2"}, True),
        ("1 < stars <= 3", {"stars": "3"}, True),
        ("-a + b * 2 - 1", {"a": "1", "b": "3"}, 4.0),
        ("a / b % 2", {"a": "6", "b": "2"}, 1.0),
        ("a > b", {"a": "10", "b": "9"}, True),
        ("day >= '2020-01-31'", {"day": "2020-02-01"}, True),
        ("flag == True", {"flag": "TRUE"}, True),
        ("`review score` > 3", {"review score": "4"}, True),
        ("kind == 'a `b` c'", {"kind": "a `b` c"}, True),
        ("review text", {"review text": "fine"}, "fine"),
        ("class", {"class": "c"}, "c"),
    ],
)
def test_value(text: str, row: dict[str, str], value: object) -> None:
    assert Expression.parse(text).evaluate(row) == value


@pytest.mark.parametrize(
    ("text", "columns", "is_column", "is_boolean"),
    [
        ("a", {"a"}, True, False),
        ("review text", {"review text"}, True, False),
        ("`review text`", {"review text"}, True, False),
        ("a > b * 2", {"a", "b"}, False, True),
        ("a and not b", {"a", "b"}, False, True),
        ("a % 2", {"a"}, False, False),
    ],
)
def test_form(text: str, columns: set[str], is_column: bool, is_boolean: bool) -> None:
    expression = Expression.parse(text)
    assert (expression.columns, expression.is_column, expression.is_boolean) == (columns, is_column, is_boolean)


def test_a_known_column_is_a_column_even_if_it_reads_as_an_expression() -> None:
    assert Expression.parse("star-rating", ["star-rating"]).evaluate({"star-rating": "4"}) == "4"
    assert Expression.parse("star-rating").columns == {"star", "rating"}


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("__import__('os').system('true')", "Call"),
        ("a.b", "Attribute"),
        ("a[0] > 1", "Subscript"),
        ("[x for x in a]", "ListComp"),
        ("(lambda: a)", "Lambda"),
        ("a if b else c", "IfExp"),
        ("a ** 9", "Pow"),
        ("a in b", "In"),
        ("~a", "Invert"),
        ("(a := 1)", "NamedExpr"),
        ("f'{a}'", "JoinedStr"),
        ("a == None", "None"),
        ("a == b'x'", "b'x'"),
        ("a > 1e999", "size"),
        ("a = 1", "not an expression"),
        ("a >", "not an expression"),
        ("1 > 0", "no column"),
        ("   ", "empty"),
        ("not " * 80 + "a", "deep"),
        ("(" * 3000 + "a > 1" + ")" * 3000, "not an expression"),
    ],
)
def test_refused(text: str, construct: str) -> None:
    with pytest.raises(DataError, match=construct) as raised:
        Expression.parse(text)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("text", "row", "what"),
    [
        ("a > 0", {"a": "many"}, "not a number: 'many'"),
        ("a > 0", {"a": "nan"}, "not a number: 'nan'"),
        ("a + b > 0", {"a": "1", "b": ""}, "not a number: ''"),
        ("1 / a > 0", {"a": "0"}, "division by zero"),
        ("not a", {"a": "perhaps"}, "neither true nor false: 'perhaps'"),
        ("a > 0", {}, "no value in column 'a'"),
    ],
)
def test_rows_that_have_no_value(text: str, row: dict[str, str], what: str) -> None:
    with pytest.raises(DataError) as raised:
        Expression.parse(text).evaluate(row)
    assert raised.value.what == what


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_an_explanation(text: str) -> None:
    try:
        expression = Expression.parse(text)
    except DataError:
        return
    try:
        expression.evaluate(dict.fromkeys(expression.columns, "1"))
    except DataError as error:
        assert error.what
