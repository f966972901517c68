import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import Problem, RecipeError

SMALLEST = """
    task: text-classification
    data:
      source: rows.csv
      columns: {text: text, label: "sentiment > 0"}
    base_model: {source: model}
"""

Write = Callable[..., Path]
Problems = Callable[..., dict[str, Problem]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a recipe named ``reviews``: the smallest one, with ``more`` after it, or ``text`` as it is."""

    def _write(more: str = "", *, text: str | None = None) -> Path:
        path = tmp_path / "reviews.yaml"
        path.write_text(textwrap.dedent(SMALLEST).lstrip() + textwrap.dedent(more) if text is None else text)
        return path

    return _write


@pytest.fixture
def problems(write: Write) -> Problems:
    """The problems of the smallest recipe with ``more`` after it and ``overrides``, by field."""

    def _problems(more: str = "", *overrides: str, text: str | None = None) -> dict[str, Problem]:
        with pytest.raises(RecipeError) as caught:
            load_recipe(write(more, text=text), overrides)
        return {problem.field: problem for problem in caught.value.problems}

    return _problems
