"""The report as Markdown: the same content as the page, without pictures."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from luthier.evaluation.markdown_text import Markdown, md
from luthier.evaluation.next_step import next_step_sentence
from luthier.evaluation.outline import QUESTIONS, asked_conditions, certainty_sentence, placed, read_sentence
from luthier.evaluation.wording import (
    baseline_sentence,
    champion_sentence,
    examples_sentence,
    interval_sentence,
    metric_name,
    scope_sentences,
    score_texts,
    shortened,
    verdict_sentence,
)

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

TEXT_LENGTH = 160


def report_markdown(report: "EvaluationReport", *, short: bool = False) -> str:
    """All of it, or what belongs beside other things: verdict, conditions, scores, what next."""
    text = (
        markdown_environment()
        .get_template("report.md.j2")
        .render(
            report=report,
            short=short,
            verdict=verdict_sentence(report),
            remarks=list(
                filter(None, [interval_sentence(report), baseline_sentence(report), champion_sentence(report)])
            ),
            following=next_step_sentence(report),
            conditions=list(asked_conditions(report)),
            read=read_sentence(report),
            certainty=certainty_sentence(report),
            scope=scope_sentences(report),
            score_texts=score_texts,
            examples=examples_sentence(report.examples),
            questions=QUESTIONS,
            aspects=placed(report),
            impossible=report.aspects.impossible,
        )
    )
    return _compact(text)


@cache
def markdown_environment() -> jinja2.Environment:
    """Templates of this folder and of the aspects; what is put in is escaped, and ``md`` says so of a text."""
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([here, here / "aspects"]),
        undefined=jinja2.StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(md=md, metric_name=metric_name, short=lambda text: shortened(text, TEXT_LENGTH))
    return environment


def _safe(value: Any) -> Any:
    return md(value) if isinstance(value, str) and not isinstance(value, Markdown) else value


def _compact(text: str) -> str:
    """One blank line at most."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).strip() + "\n"
