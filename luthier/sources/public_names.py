"""The docstrings of a package by the names its users write, read from source files: nothing is imported.

``numpy/__init__.py`` says ``from ._core.fromnumeric import sum``, so the docstring there is that of ``numpy.sum``.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LEFT_OUT = {"test", "tests", "testing", "conftest", "externals"}
COMPILED = {".so", ".pyd"}

Place = tuple[str, str]


@dataclass(frozen=True)
class Documented:
    """A module, class, function or method by its public name, and its docstring without indentation."""

    name: str
    docstring: str


@dataclass(frozen=True)
class PackageSource:
    """The Python files of a package by their modules' names; ``compiled`` counts modules that have no source."""

    modules: dict[str, Path]
    compiled: int


@dataclass
class _Module:
    """What one file defines and imports; docstrings are by the name after the module's."""

    is_package: bool
    docstring: str | None
    definitions: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    imports: dict[str, Place] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    exported: list[str] | None = None


def find_source(name: str, roots: Sequence[Path]) -> PackageSource:
    """The modules of a top-level name below ``roots``, folders or one file; tests and vendored code are left out."""
    modules: dict[str, Path] = {}
    compiled = 0
    for root in roots:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            parts = path.relative_to(root).parts[:-1] if path != root else ()
            stem = path.name.partition(".")[0]
            if any(_is_left_out(part) or not part.isidentifier() for part in (*parts, stem)):
                continue
            compiled += path.suffix in COMPILED
            if path.suffix == ".py":
                inner = () if stem == "__init__" or path == root else (stem,)
                modules[".".join((name, *parts, *inner))] = path
    return PackageSource(modules, compiled)


def documented(source: PackageSource) -> list[Documented]:
    """Every public object that has a docstring, once, under its shortest public name and sorted by it."""
    modules = {name: _read(name, path) for name, path in source.modules.items()}
    shortest: dict[Place, str] = {}
    for public, place in _public_places(modules):
        known = shortest.get(place, public)
        shortest[place] = min(known, public, key=lambda name: (name.count("."), name))
    found = {
        public + suffix: docstring
        for (module, name), public in shortest.items()
        for suffix, docstring in modules[module].definitions[name]
    }
    found |= {name: module.docstring for name, module in modules.items() if module.docstring and _is_public(name)}
    return [Documented(name, found[name]) for name in sorted(found)]


def _is_left_out(part: str) -> bool:
    return part in LEFT_OUT or part.startswith("test_")


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def _read(name: str, path: Path) -> _Module:
    with warnings.catch_warnings(action="ignore"):
        tree = ast.parse(path.read_bytes())
    module = _Module(path.stem == "__init__", ast.get_docstring(tree))
    for node in _statements(tree.body):
        if isinstance(node, ast.ImportFrom):
            _add_import(module, node, name)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _is_public(node.name):
            docstrings = list(_docstrings(node))
            if docstrings:
                module.definitions.setdefault(node.name, docstrings)
        elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            module.exported = _texts(node.value)
    return module


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under if and try too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _statements([*node.body, *node.orelse])


def _docstrings(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[tuple[str, str]]:
    if docstring := ast.get_docstring(node):
        yield "", docstring
    for member in node.body if isinstance(node, ast.ClassDef) else []:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(member.name):
            yield from ((f".{member.name}", text) for _, text in _docstrings(member))


def _add_import(module: _Module, node: ast.ImportFrom, name: str) -> None:
    source = node.module or ""
    if node.level:
        parts = name.split(".")
        kept = parts[: len(parts) - node.level + module.is_package]
        source = ".".join([*kept, source] if source else kept)
    for alias in node.names:
        if alias.name == "*":
            module.stars.append(source)
        else:
            module.imports[alias.asname or alias.name] = (source, alias.name)


def _texts(node: ast.expr) -> list[str] | None:
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    return [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]


def _public_places(modules: dict[str, _Module]) -> Iterator[tuple[str, Place]]:
    """Public names, and the module and name where each is defined."""
    for name, module in modules.items():
        if not _is_public(name):
            continue
        names = set(module.definitions)
        if module.is_package:
            names |= {*module.imports, *(star for source in module.stars for star in _star_names(source, modules))}
        for public in sorted(filter(_is_public, names)):
            if place := _defined_at((name, public), modules, frozenset()):
                yield f"{name}.{public}", place


def _star_names(source: str, modules: dict[str, _Module]) -> list[str]:
    module = modules.get(source)
    if module is None:
        return []
    return list(module.definitions) if module.exported is None else module.exported


def _defined_at(place: Place, modules: dict[str, _Module], seen: frozenset[Place]) -> Place | None:
    source, name = place
    module = modules.get(source)
    if module is None or place in seen:
        return None
    if name in module.definitions:
        return place
    places = [module.imports[name]] if name in module.imports else [(star, name) for star in module.stars]
    found = (_defined_at(following, modules, seen | {place}) for following in places)
    return next((answer for answer in found if answer), None)
