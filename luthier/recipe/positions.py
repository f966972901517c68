"""A YAML file as plain values, with the line of every field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from luthier.recipe.problems import Problem, RecipeError


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of numbers and booleans: ``1e-3`` is a number, ``no`` is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A parsed file. ``lines`` maps a dotted field to its line; ``problems`` holds duplicate keys."""

    values: dict[str, Any]
    lines: Mapping[str, int]
    problems: tuple[Problem, ...]

    def line(self, field: str) -> int:
        """The line of ``field``, or of the nearest part of it that the file has."""
        while field and field not in self.lines:
            field = field.rpartition(".")[0]
        return self.lines.get(field, 1)


def parse_value(text: str) -> Any:
    """One YAML value, as a recipe would read it."""
    return yaml.load(text, Loader=_Loader)


def read_document(path: Path) -> Document:
    """Reads a recipe.

    Raises:
        RecipeError: unreadable, no YAML, or no mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        raise RecipeError([Problem(path, 1, "(file)", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise RecipeError([Problem(path, 1, "(file)", f"is not UTF-8 at byte {error.start}")]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError([Problem(path, line, "(file)", f"is not YAML: {error.problem}")]) from None
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError([Problem(path, 1, "(file)", "holds no recipe: a mapping with task, data and base_model")])
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    _walk(node, "", path, lines, problems)
    return Document(parse_value(text), lines, tuple(problems))


def _walk(node: yaml.Node, prefix: str, path: Path, lines: dict[str, int], problems: list[Problem]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        field = f"{prefix}{key.value}"
        line = key.start_mark.line + 1
        if field in lines:
            problems.append(Problem(path, line, field, f"is given twice; first on line {lines[field]}"))
        lines[field] = line
        _walk(value, f"{field}.", path, lines, problems)
