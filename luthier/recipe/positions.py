"""A YAML file as plain values, with the line of every field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from luthier.recipe.problems import NOTHING, Problem, RecipeError

# YAML 1.2's idea of a plain scalar, not PyYAML's 1.1: 1e-3 is a number, while no, 08 and 12:30 are what they look like.
SCALARS = (
    ("tag:yaml.org,2002:null", r"(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"[-+]?(0|[1-9]\d*)$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", r"[-+]?(\.\d+|(0|[1-9]\d*)(\.\d*)?)([eE][-+]?\d+)?$", list("-+.0123456789")),
)
TAGS = frozenset(tag for tag, _, _ in SCALARS) | {f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")}

Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]


def _with_scalars(resolvers: Resolvers) -> Resolvers:
    """PyYAML's table, by first character, of what a plain scalar may be: ``resolvers`` and ours."""
    table = {first: list(known) for first, known in resolvers.items()}
    for tag, pattern, firsts in SCALARS:
        for first in firsts:
            table.setdefault(first, []).append((tag, re.compile(pattern, re.ASCII)))
    return table


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = _with_scalars({})


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML would take for something else."""

    yaml_implicit_resolvers = _with_scalars(yaml.SafeDumper.yaml_implicit_resolvers)

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(frozen=True)
class Document:
    """A file's values, the line of each dotted field (``data.labels.0`` for items), and its repeated keys."""

    values: dict[str, Any]
    lines: Mapping[str, int]
    problems: tuple[Problem, ...]


class MalformedYaml(ValueError):
    """Text that is not YAML, or YAML that no recipe needs; ``line`` counts from 1."""

    def __init__(self, line: int, rule: str) -> None:
        self.line, self.rule = line, rule
        super().__init__(f"line {line}: {rule}")


def read_document(path: Path) -> Document:
    """Reads a recipe file.

    Raises:
        RecipeError: unreadable, not YAML, or not a mapping at the top.
    """
    try:
        reader = _Reader(path, path.read_text(encoding="utf-8"))
        values = reader.read()
    except OSError as error:
        raise RecipeError([Problem(path, None, "", NOTHING, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise RecipeError([Problem(path, None, "", NOTHING, f"is not UTF-8 text at byte {error.start}")]) from None
    except MalformedYaml as error:
        raise RecipeError([Problem(path, error.line, "", NOTHING, error.rule)]) from None
    if not isinstance(values, dict):
        received = NOTHING if values is None else values
        rule = "must be a mapping with at least task, data and base_model"
        raise RecipeError([Problem(path, 1, "", received, "is empty; it " + rule if values is None else rule)])
    return Document(values, reader.lines, tuple(reader.problems))


def parse_value(text: str) -> Any:
    """One YAML value, read as in a recipe.

    Raises:
        MalformedYaml: it cannot be read.
    """
    reader = _Reader(Path(), text)
    value = reader.read()
    for repeated in reader.problems:
        raise MalformedYaml(repeated.line or 1, f"{repeated.field} {repeated.rule}")
    return value


def to_yaml(values: dict[str, Any]) -> str:
    """YAML that reads back as ``values``."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Reader:
    """Turns nodes into values and remembers where each came from."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text
        self.lines: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.collections: set[int] = set()

    def read(self) -> Any:
        try:
            self.loader = _Loader(self.text)
            node = self.loader.get_single_node()
            return None if node is None else self._value(node, "", line=1)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise MalformedYaml(line, f"is not YAML: {error.problem}") from None
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            raise MalformedYaml(line, f"is not YAML: {error.reason}") from None

    def _value(self, node: yaml.Node, name: str, *, line: int) -> Any:
        if node.tag not in TAGS:
            raise MalformedYaml(line, f"has a tag, {node.tag}, which no recipe needs")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        if id(node) in self.collections:
            raise MalformedYaml(line, "repeats another part by an alias; write it out")
        self.collections.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, f"{name}." if name else "")
        return [self._item(item, f"{name}.{index}") for index, item in enumerate(node.value)]

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        try:
            return self.loader.construct_object(node)
        except (ValueError, KeyError):
            raise MalformedYaml(line, f"is not YAML: {node.value[:40]!r} is not what its tag says") from None

    def _item(self, node: yaml.Node, name: str) -> Any:
        self.lines[name] = node.start_mark.line + 1
        return self._value(node, name, line=node.start_mark.line + 1)

    def _mapping(self, node: yaml.MappingNode, prefix: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise MalformedYaml(line, "a key must be a plain name")
            name = f"{prefix}{key.value}"
            first = self.lines.get(name) if key.value in values else None
            self.lines[name] = line
            values[key.value] = self._value(value, name, line=line)
            if first is not None:
                rule = f"is given twice; first on line {first}"
                self.problems.append(Problem(self.path, line, name, values[key.value], rule))
        return values
