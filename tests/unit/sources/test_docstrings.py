import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luthier.data.reading import column_names
from luthier.errors import SourceError
from luthier.sources.access import Access
from luthier.sources.docstring_text import first_sentences, prose
from luthier.sources.docstrings import fetch_docstrings
from luthier.sources.fetched import Fetched

SHAPES = """
raise RuntimeError("this package must never be imported")
"""
PRIVATE = '''
__all__ = ["area"]

def area(width, height=1, *, unit="m"):
    """
    Compute the area of a rectangle.

    Both sides are measured in ``unit``; see :func:`~shapes.scale` for other
    units [1]_.

    .. versionadded:: 1.2
       Not for readers.

    Parameters
    ----------
    width : float
        The length of the *horizontal* side. It must not be negative.
    height : float, optional
        The length of the vertical side:

        - zero gives an empty rectangle,
        - the default is one.
    unit : str
        The unit of the result.

    Returns
    -------
    float
        The product of `width` and `height`.

    Raises
    ------
    ValueError
        If a side is negative.

    Examples
    --------
    >>> area(2, 3)
    6
    """

def hidden():
    """Nobody can import this function by a public name."""
'''
PUBLIC = '''
"""Rulers and other tools to measure shapes with."""

class Ruler:
    """A ruler of some length.

    Parameters
    ----------
    marks : int
        How many marks the ruler has from end to end.
    """

    def measure(self, thing):
        """Measure a thing.

        Args:
            thing: What is measured, a shape or a line.

        Returns:
            The length of the thing in marks.
        """

    def _secret(self):
        """Not public."""

def filled():
    """Return %(what)s that is only known when the package is imported."""
'''


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on the path that raises when it is imported."""
    site = tmp_path / "site"
    files = {
        "shapes/__init__.py": "from ._impl import *\n" + SHAPES,
        "shapes/_impl.py": PRIVATE,
        "shapes/tools.py": PUBLIC,
        "shapes/tests/test_tools.py": '"""Tests are no documentation of the package at all."""',
        "shapes/_fast.so": "",
        "py_shapes-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: py-shapes\nVersion: 1.2\nLicense: MIT\n",
        "py_shapes-1.2.dist-info/top_level.txt": "shapes\n",
    }
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content)
    monkeypatch.syspath_prepend(str(site))
    return tmp_path


def _fetch(folder: Path, uri: str, sha256: str | None = None) -> Fetched:
    return fetch_docstrings(uri, Access(folder / "downloads", folder), sha256=sha256, query=None)


def _rows(fetched: Fetched) -> list[dict[str, Any]]:
    return [json.loads(line) for line in fetched.path.read_text().splitlines()]


def test_answers_are_spans_of_the_text_and_named_as_users_write_them(shapes: Path) -> None:
    fetched = _fetch(shapes, "docstrings://shapes")
    rows = _rows(fetched)
    assert {row["name"] for row in rows} == {"shapes.area", "shapes.tools.Ruler", "shapes.tools.Ruler.measure"}
    assert all(row["context"][row["answer_start"] :].startswith(row["answer"]) for row in rows if row["answer"])
    answers = {row["answer"] for row in rows if row["name"] == "shapes.area"}
    assert answers - {""} == {
        "The length of the horizontal side. It must not be negative.",
        "The unit of the result.",
        "The product of width and height.",
        "If a side is negative.",
    }
    (context,) = {row["context"] for row in rows if row["name"] == "shapes.area"}
    assert "measured in unit; see scale for other units [1]." in context
    assert not any(mark in context for mark in ("``", ">>>", ":func:", "versionadded", "Not for readers"))
    assert column_names(fetched.path) == [
        *("package", "version", "id", "name", "question", "context", "answer", "answer_start")
    ]


def test_provenance_names_versions_and_licenses_and_counts_what_has_no_source(shapes: Path) -> None:
    fetched = _fetch(shapes, "docstrings://py-shapes")
    expected = {"packages": "shapes 1.2", "licenses": "shapes: MIT", "rows": "answers", "compiled_modules_skipped": "1"}
    assert expected.items() <= fetched.provenance.items()
    assert fetched.files == (fetched.path,)
    assert str(shapes) not in fetched.path.read_text()


def test_the_same_packages_give_the_same_bytes_in_any_order_and_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from luthier.sources.access import Access;"
        "from luthier.sources.docstrings import fetch_docstrings; folder = Path(sys.argv[1]);"
        "uri = 'docstrings://pluggy,iniconfig?rows=summary';"
        "print(fetch_docstrings(uri, Access(folder, folder), sha256=None, query=None).fingerprint)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "other")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert _fetch(tmp_path, "docstrings://iniconfig,pluggy?rows=summary").fingerprint == printed.strip()


def test_real_answers_hold_and_about_one_in_ten_questions_has_none(tmp_path: Path) -> None:
    rows = _rows(_fetch(tmp_path, "docstrings://numpy"))
    assert len(rows) > 1500
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        if row["answer"]:
            assert row["context"][row["answer_start"] :].startswith(row["answer"])
            assert len(row["context"]) <= 3000
        else:
            assert row["answer_start"] == -1
    unanswerable = sum(not row["answer"] for row in rows) / len(rows)
    assert 0.07 < unanswerable < 0.13
    assert "numpy.concatenate" in {row["name"] for row in rows}


def test_summaries_do_not_stand_in_their_documents(tmp_path: Path) -> None:
    rows = _rows(_fetch(tmp_path, "docstrings://numpy?rows=summary"))
    assert len(rows) > 500
    by_name = {row["name"]: row for row in rows}
    assert by_name["numpy.sum"]["summary"] == "Sum of array elements over a given axis."
    assert all(200 <= len(row["document"]) <= 4000 for row in rows)
    assert not any(row["document"].startswith(row["summary"]) for row in rows)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("docstrings://nunpy", "did you mean numpy"),
        ("docstrings://numpy.linalg", "no package 'numpy.linalg'"),
        ("docstrings://numpy?rows=all", "answers or summary"),
        ("docstrings://", "not a source of docstrings"),
        ("docstrings://,", "no package is named"),
    ],
)
def test_sources_that_cannot_be_read_say_why(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        _fetch(tmp_path, uri)


def test_another_digest_is_refused(shapes: Path) -> None:
    with pytest.raises(SourceError, match="SHA-256"):
        _fetch(shapes, "docstrings://shapes", sha256="0" * 64)


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("See :class:`~a.b.Name` and :ref:`the guide <guide>`.", "See Name and the guide."),
        ("``x`` is `y`, **not** *z*; \\*args of `Page <http://x.org>`_", "x is y, not z; *args of Page"),
        ("2**3 and a * b * c stay", "2**3 and a * b * c stay"),
        ("One\nline.\n\n- first\n  item\n- second", "One line.\n- first item\n- second"),
        ("Before. As in::\n\n    code()\n\nAfter.", "Before.\nAfter."),
        ("Text.\n\n==== ====\na    b\n==== ====\n", "Text."),
        (".. note::\n   Kept.\n\n.. math::\n\n   x^2\n\nEnd.", "Kept.\nEnd."),
    ],
)
def test_prose_has_no_marks(marked: str, plain: str) -> None:
    assert prose(marked) == plain


def test_sentences_end_where_a_new_one_begins() -> None:
    assert first_sentences("Some, e.g. these, fit. Others are too long.", 25) == "Some, e.g. these, fit."
    assert first_sentences("A sentence that is too long.", 10) == ""
