import pytest

from luthier.data.template import Template
from luthier.errors import DataError


@pytest.mark.parametrize(
    ("text", "columns", "filled"),
    [
        ("body", {"body"}, "B"),
        ("{title}. {body}", {"title", "body"}, "T. B"),
        ("{ title }{body}!", {"title", "body"}, "TB!"),
        ("{{x}} {body}", {"body"}, "{x} B"),
        ("a column with spaces", {"a column with spaces"}, "S"),
    ],
)
def test_columns_and_text(text: str, columns: set[str], filled: str) -> None:
    template = Template.parse(text)
    assert template.columns == columns
    assert template.fill({"title": "T", "body": "B", "a column with spaces": "S"}) == filled


def test_a_missing_column_is_empty_and_no_column_at_all_is_no_text() -> None:
    template = Template.parse("{title}. {body}")
    assert template.fill({"title": None, "body": "B"}) == ". B"
    assert template.fill({"title": None, "body": None}) is None


@pytest.mark.parametrize("text", ["{title", "title}", "{}", "{ }", "{{title}}", "{a}{", "{a{b}}"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"brace|names no column"):
        Template.parse(text)
