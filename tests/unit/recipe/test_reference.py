"""The recipe reference says all that the schema says, and the file in docs/ is what the schema gives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from luthier.methods import METHODS
from luthier.recipe.draft import valid_metrics
from luthier.recipe.reference import recipe_reference
from luthier.recipe.schema import Recipe
from luthier.tasks import TASKS

FILE = Path(__file__).parents[3] / "docs" / "recipe-reference.md"


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and description of every value that a model holds."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from fields(annotation, f"{prefix}{name}.")
        elif not field.exclude and (prefix, name) != ("", "method"):
            assert field.description
            yield f"{prefix}{name}", field.description


def rows(text: str) -> dict[str, str]:
    """The table rows by field; of a field that several methods have, the last."""
    return {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}


def test_the_file_is_what_the_schema_gives():
    assert FILE.read_text() == recipe_reference(), "run python -m luthier.recipe.reference > docs/recipe-reference.md"


def test_every_field_of_every_section_occurs_with_its_description():
    found = rows(recipe_reference())

    for name, description in fields(Recipe):
        assert f"| {description} |" in found[name]


@pytest.mark.parametrize("kind", METHODS)
def test_every_field_of_every_method_occurs_in_its_own_section(kind: str):
    section = recipe_reference().partition(f"### `method: {{kind: {kind}}}`\n")[2].partition("\n##")[0]
    expected = dict(fields(METHODS[kind], "method."))

    assert rows(section).keys() == expected.keys()
    assert all(f"| {description} |" in section for description in expected.values())


def test_nothing_occurs_that_the_schema_lacks():
    known = {name for name, _ in fields(Recipe)}
    known |= {name for method in METHODS.values() for name, _ in fields(method, "method.")}

    assert rows(recipe_reference()).keys() == known


def test_a_methods_own_default_stands_beside_the_general_one():
    found = rows(recipe_reference())

    assert "| `0.001`, full `0.00005`, qlora `0.0005`, bottleneck `0.003`" in found["training.learning_rate"]
    assert "| `adamw`, qlora `paged_adamw_8bit` |" in found["training.optimizer"]
    for kind, method in METHODS.items():
        for name, value in method.training_defaults.items():
            general = Recipe.model_fields["training"].default.model_dump()[name]
            assert value == general or f"{kind} `" in found[f"training.{name}"]


def test_what_is_required_allowed_and_bounded_is_said():
    found = rows(recipe_reference())

    assert "| required |" in found["task"]
    assert "| number > 0, < 1 | `0.15` |" in found["data.split.test"]
    assert "| `auto` or integer ≥ 1, ≤ 4096 | `auto` |" in found["training.threads"]
    assert all(f"`{metric}`" in found["evaluation.metric"] for metric in valid_metrics(list(TASKS.values()), None))
