"""The report as Markdown: the same content as the page, without pictures."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from luthier.evaluation.markdown_text import md
from luthier.evaluation.outline import said
from luthier.evaluation.wording import filters, verdict_sentence

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

TEXT_LENGTH = 160


def report_markdown(report: "EvaluationReport", *, short: bool = False) -> str:
    """All of it, or what belongs beside other things: verdict, conditions, scores, what next."""
    template = markdown_environment().get_template("report.md.j2")
    return _compact(template.render(said(report), verdict=verdict_sentence(report), short=short))


@cache
def markdown_environment() -> jinja2.Environment:
    """Templates of this folder and of the aspects. All that they put in is escaped, that of a macro too: a table's row
    cannot come from one.
    """
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([here, here / "aspects"]),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: md(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters(TEXT_LENGTH))
    return environment


def _compact(text: str) -> str:
    """One blank line at most."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"
