"""The data report as one HTML page that loads nothing from outside."""

from pathlib import Path

from luthier.data.splitting import SPLITS
from luthier.data_report.plots import length_histogram
from luthier.data_report.report import DataReport
from luthier.data_report.wording import (
    augmentation_sentence,
    counted,
    division_sentence,
    estimate_sentence,
    leaks_by_kind,
    most_first,
    nearest_sentence,
    pii_sentence,
    rows_sentence,
    share,
    truncation_sentence,
    verdict_sentence,
    weights_sentence,
)
from luthier.evaluation.page import inline_svg
from luthier.evaluation.page_environment import page_environment
from luthier.evaluation.style import Form

MOST_LABELS = 100


def render_page(report: DataReport) -> str:
    """The page, top-down: leaks, labels, lengths, what was rejected, repeats, preview, provenance."""
    environment = page_environment(Path(__file__).parent)
    status, _, between = verdict_sentence(report).partition(" found ")
    train = report.facts["balance"].get("train", {})
    environment.filters.update(counted=counted, share=_unbroken_share, thousands="{:,}".format)
    return environment.get_template("data_report.html.j2").render(
        report=report,
        facts=report.facts,
        splits=SPLITS,
        leaks=leaks_by_kind(report),
        status=f"{status} found",
        between=between,
        remarks=_unbroken(rows_sentence(report)),
        labels=report.labels[:MOST_LABELS],
        most_rows=max(train.values(), default=0),
        hidden=len(report.labels) - MOST_LABELS,
        division=division_sentence(report),
        lengths=inline_svg(lengths_picture(report)),
        truncation=_unbroken(truncation_sentence(report)),
        estimate=estimate_sentence(report),
        reasons=most_first(report.facts["rejected_by_reason"]),
        nearest=nearest_sentence(report),
        pii=pii_sentence(report.facts),
        augmentation=augmentation_sentence(report.facts),
        weights=weights_sentence(report.facts),
    )


def lengths_picture(report: DataReport, form: Form = "svg") -> bytes:
    """The histogram of the lengths of all splits."""
    (edges,) = {lengths.edges for lengths in report.lengths.values()}
    return length_histogram(
        {split: lengths.counts for split, lengths in report.lengths.items()},
        edges,
        max_length=report.max_length,
        open_end=any(lengths.longest >= edges[-1] for lengths in report.lengths.values()),
        form=form,
    )


def _unbroken(sentence: str) -> str:
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")


def _unbroken_share(part: float, whole: float) -> str:
    return _unbroken(share(part, whole))
