"""The JSON Schema, as an editor would use it on a shipped recipe."""

from pathlib import Path
from typing import Any

from luthier.methods import METHODS
from luthier.recipe.json_schema import recipe_json_schema
from luthier.recipe.positions import parse_value
from luthier.tasks import TASKS

EXAMPLE = Path(__file__).parents[3] / "recipes" / "reviews.yaml"


def accepted(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether the schema's keys, types, choices and alternatives allow the value (bounds are not looked at)."""
    if "$ref" in schema:
        return accepted(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return any(accepted(value, branch, root) for branch in schema[alternatives])
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    match schema["type"]:
        case "object":
            known = schema["properties"]
            complete = isinstance(value, dict) and set(schema.get("required", [])) <= set(value)
            return complete and all(name in known and accepted(v, known[name], root) for name, v in value.items())
        case "array":
            return isinstance(value, list) and all(accepted(item, schema["items"], root) for item in value)
        case plain:
            types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
            return isinstance(value, types[plain])


def test_the_shipped_example_is_accepted():
    schema = recipe_json_schema()

    assert accepted(parse_value(EXAMPLE.read_text()), schema, schema)


def test_mistakes_are_not_accepted():
    schema, example = recipe_json_schema(), parse_value(EXAMPLE.read_text())

    columns = {"data": {"source": "a.csv", "columns": {"txt": "x"}}}
    for wrong in ({"name": "x"}, {"task": "x"}, {"method": {"kind": "x"}}, {"training": {"epochs": "x"}}, columns):
        assert not accepted({**example, **wrong}, schema, schema)


def test_only_task_data_and_base_model_are_required_and_the_name_is_no_key():
    schema = recipe_json_schema()

    assert schema["required"] == ["task", "data", "base_model"]
    assert "name" not in schema["properties"]
    assert not schema["additionalProperties"]


def test_editors_get_tasks_and_methods_to_choose_from():
    schema = recipe_json_schema()

    assert schema["properties"]["task"]["enum"] == list(TASKS)
    assert set(schema["properties"]["method"]["discriminator"]["mapping"]) == set(METHODS)
