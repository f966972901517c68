"""The JSON Schema of a recipe, for editors that complete and check YAML."""

from typing import Any

from luthier.recipe.schema import Recipe


def recipe_json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a recipe file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}
