"""Every aspect's parts of the page and of the Markdown are there, and need no more than both environments have."""

import pytest

from luthier.evaluation.aspects import NAMES
from luthier.evaluation.markdown import markdown_environment
from luthier.evaluation.page import ASPECTS, page_environment


@pytest.mark.parametrize("name", NAMES)
def test_an_aspect_has_a_part_in_the_page_and_in_the_markdown(name: str) -> None:
    markdown_environment().get_template(f"{name}.md.j2")
    page = page_environment(ASPECTS)
    page.filters.update(metric_name=str, short=str)
    page.get_template(f"{name}.html.j2")
