"""``docstrings://numpy,scipy?rows=summary``: real rows from the docstrings of packages that are installed.

Packages are named as they are imported or as they are installed; none is imported. ``rows`` is ``answers`` (the
default: questions with answers that are spans of a text) or ``summary`` (documents with a summary).
"""

import json
import logging
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import metadata, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from luthier.digest import digest_of, file_digest
from luthier.errors import SourceError
from luthier.sources.access import Access
from luthier.sources.docstring_rows import Page, answer_rows, pages, summary_rows
from luthier.sources.fetched import Fetched, require_digest
from luthier.sources.public_names import PackageSource, documented, find_source

log = logging.getLogger(__name__)

ROWS: Final[Mapping[str, Callable[[Sequence[Page]], Iterator[dict[str, Any]]]]] = {
    "answers": answer_rows,
    "summary": summary_rows,
}
URI = re.compile(r"docstrings://(?P<names>[^?#/]+)/?(?:\?rows=(?P<rows>\w+))?", re.I)
REMEDY = "write docstrings://NAME,NAME or docstrings://NAME?rows=summary"


@dataclass(frozen=True)
class _Package:
    """An installed package: what is imported, and the distribution that it comes from."""

    name: str
    distribution: str
    version: str
    source: PackageSource


def fetch_docstrings(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """Write the rows as JSON Lines below ``access.downloads``; the same packages give the same bytes."""
    match = URI.fullmatch(uri.strip())
    kind = (match["rows"] or "answers").lower() if match else ""
    if match is None or kind not in ROWS:
        known = " or ".join(ROWS)
        raise SourceError("not a source of docstrings", received=uri, remedy=f"{REMEDY}; rows are {known}")
    packages = _packages({name.strip() for name in match["names"].split(",") if name.strip()}, uri)
    versions = {package.name: package.version for package in packages}
    path = access.downloads / "docstrings" / digest_of(versions)[:16] / f"{kind}.jsonl"
    count = _write(path, kind, packages)
    if count == 0:
        raise SourceError("no docstrings of public objects", where=uri, remedy="name packages that have more of them")
    log.info("%d rows from the docstrings of %s", count, ", ".join(versions))
    fingerprint = file_digest(path)
    require_digest(fingerprint, sha256, where=uri, remedy="install the versions that sha256 was taken with")
    provenance = {
        "scheme": "docstrings",
        "packages": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "licenses": ", ".join(f"{package.name}: {_license(package.distribution)}" for package in packages),
        "rows": kind,
        "count": str(count),
        "compiled_modules_skipped": str(sum(package.source.compiled for package in packages)),
        "sha256": fingerprint,
    }
    return Fetched(path, uri, fingerprint, provenance, (path,))


def _packages(names: Collection[str], uri: str) -> list[_Package]:
    """The packages sorted by the name that is imported. Raises SourceError for one that is not installed."""
    installed = packages_distributions()
    found: dict[str, _Package] = {}
    for name in names:
        imported = [name] if name in installed else _imported_as(name, installed)
        if not imported:
            known = {*installed, *(one for several in installed.values() for one in several)}
            near = get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else REMEDY
            raise SourceError(f"no package {name!r} is installed", where=uri, remedy=hint)
        for top in imported:
            origin = min(installed[top])
            found[top] = _Package(top, origin, version(origin), find_source(top, _roots(top)))
    if not found:
        raise SourceError("no package is named", received=uri, remedy=REMEDY)
    return [found[name] for name in sorted(found)]


def _imported_as(name: str, installed: Mapping[str, Sequence[str]]) -> list[str]:
    """The public names that a distribution installs."""
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return sorted(
        top
        for top, origins in installed.items()
        if not top.startswith("_") and any(re.sub(r"[-_.]+", "-", one).lower() == plain for one in origins)
    )


def _roots(top: str) -> list[Path]:
    spec = find_spec(top)
    if spec is None:
        return []
    places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
    return [Path(place) for place in places]


def _write(path: Path, kind: str, packages: Sequence[_Package]) -> int:
    """Write a row's object a line, all or nothing; how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".partial-") as folder:
        partial = Path(folder) / path.name
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            for package in packages:
                about = {"package": package.name, "version": package.version}
                for row in ROWS[kind](pages(documented(package.source))):
                    file.write(json.dumps({**about, **row}, ensure_ascii=False) + "\n")
                    count += 1
        partial.replace(path)
    return count


def _license(name: str) -> str:
    about = metadata(name)
    classifiers = [text for text in about.get_all("Classifier") or [] if text.startswith("License :: ")]
    stated = [*(about.get_all("License-Expression") or []), *classifiers, *(about.get_all("License") or [])]
    lines = [text.strip().splitlines()[0] for text in stated if text.strip()]
    return lines[0].rpartition(":: ")[2] if lines else "not stated"
