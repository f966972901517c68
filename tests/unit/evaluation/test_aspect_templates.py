"""Every aspect's parts of the page and of the Markdown are there, and say what they were given."""

from dataclasses import replace

import numpy as np
import pytest

from luthier.evaluation.aspects import NAMES, examined
from luthier.evaluation.aspects.curves import curves
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.markdown import markdown_environment
from luthier.evaluation.page import report_environment
from tests.markdown_tables import tables
from tests.unit.evaluation.answered import questions
from tests.unit.evaluation.examinations import examination


def part(name: str, found: object) -> str:
    return markdown_environment().get_template(f"{name}.md.j2").render(found=found)


@pytest.mark.parametrize("name", NAMES)
def test_an_aspect_has_a_part_in_the_page_and_in_the_markdown(name: str) -> None:
    markdown_environment().get_template(f"{name}.md.j2")
    report_environment().get_template(f"{name}.html.j2")


def test_every_table_of_the_markdown_is_a_table(sample: Evaluated) -> None:
    for name, found in examined(examination(sample)).found().items():
        text = part(name, found)
        marked = [line for line in text.splitlines() if line.lstrip("\\").startswith("|")]
        assert sum(map(len, tables(text))) == len(marked), name


def test_groups_of_questions_are_rows_of_a_table() -> None:
    found = examined(examination(questions())).answers
    assert found is not None
    (table,) = tables(part("answers", found))
    assert len(table) == 3 + sum(len(groups) for groups in found.groups.values())
    assert table[2].startswith("| all | 20 |")


def test_what_comes_from_data_is_escaped_once() -> None:
    members = np.eye(3, dtype=bool)[np.arange(30) % 2]
    found = curves(members, np.random.default_rng(0).random((30, 3)), ("a|b", "c", "d_e"), 0.95)
    assert found.unjudged == ("d_e",)
    text = part("curves", replace(found, unjudged=("d_e", "<f>")))
    assert "| a\\|b |" in text
    assert "Without a curve: d\\_e, &lt;f&gt;." in text
