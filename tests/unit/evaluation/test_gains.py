"""The gain over each baseline, in pairs on the same rows: against scipy and numpy, and in every form of the report."""

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.markdown import report_markdown
from luthier.evaluation.page import render_page
from luthier.evaluation.report import EvaluationReport, read_report, write_report
from luthier.evaluation.test_reads import Reading, TestReads
from luthier.evaluation.wording import baseline_sentence, beside_texts, scope_sentences
from luthier.tasks.task import Predictions
from tests.unit.evaluation.answered import SAMPLES

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
READ = Reading("reviews", "adapter", "lora", 17, "accuracy", "2026-03-02T12:00:00+00:00")


def test_gains_of_accuracy_are_scipys_paired_bootstrap_and_exact_mcnemar(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("a", "b", "c"))
    report = make_report(test, reads=TestReads((READ,) * 2))
    gold, own = (np.asarray(ids) for ids in test.compared("accuracy"))
    assert list(report.gains) == list(report.baselines) == ["majority", "tf-idf"]
    for name, gain in report.gains.items():
        other = np.asarray(test.compared("accuracy", name)[1])
        right, baseline_right = own == gold, other == gold
        assert gain.value == pytest.approx(accuracy_score(gold, own) - accuracy_score(gold, other))
        changed = (int((right & ~baseline_right).sum()), int((baseline_right & ~right).sum()))
        assert gain.mcnemar_p == pytest.approx(stats.binomtest(changed[0], sum(changed)).pvalue)
        reference = stats.bootstrap(
            (right.astype(float), baseline_right.astype(float)),
            lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
            paired=True,
            vectorized=True,
            method="percentile",
            confidence_level=0.975,
            n_resamples=20_000,
            rng=np.random.default_rng(0),
        ).confidence_interval
        # Two readings: half of what may go wrong. A thousand resamples know the ends to about a tenth of the width.
        assert gain.confidence == pytest.approx(0.975)
        width = reference.high - reference.low
        assert (gain.low, gain.high) == (
            pytest.approx(reference.low, abs=0.1 * width),
            pytest.approx(reference.high, abs=0.1 * width),
        )


def test_the_gain_of_perplexity_is_the_fall_of_it_over_rows_drawn_anew(make_report: Make) -> None:
    test = SAMPLES["generations"]()
    gain = make_report(test, metric="perplexity").gains["untuned base"]
    (counts, own), (_, other) = test.compared("perplexity"), test.compared("perplexity", "untuned base")
    drawn = np.random.default_rng(1).integers(0, len(counts), (20_000, len(counts)))
    tokens = counts[drawn].sum(axis=1)
    falls = np.exp(other[drawn].sum(axis=1) / tokens) - np.exp(own[drawn].sum(axis=1) / tokens)
    low, high = np.quantile(falls, [0.025, 0.975])
    assert gain.value == pytest.approx(np.exp(other.sum() / counts.sum()) - np.exp(own.sum() / counts.sum()))
    assert (gain.low, gain.high) == (
        pytest.approx(low, abs=0.1 * (high - low)),
        pytest.approx(high, abs=0.1 * (high - low)),
    )
    assert gain.mcnemar_p is None and gain.is_better


def test_every_task_has_the_gain_over_each_baseline_that_it_scores(sample: Evaluated, make_report: Make) -> None:
    report = make_report(sample, metric=sample.task.metrics(sample.label_kind)[0])
    assert report.gains.keys() == report.baselines.keys() != set()


def test_a_gain_that_intervals_side_by_side_cannot_tell_from_chance_is_told_in_pairs(
    make_rows: Rows, make_report: Make
) -> None:
    gold = np.zeros(400, dtype=int)
    baseline = np.where(np.arange(400) < 80, 1, 0)
    own = np.where(np.arange(400) < 68, 1, 0)
    report = make_report(make_rows(("a", "b"), gold, np.eye(2)[own], simple=baseline))
    assert report.deciding.low < report.baselines["simple"].high
    assert "is significantly better than the best baseline, simple" in (baseline_sentence(report) or "")
    scattered = np.random.default_rng(0).permutation(baseline)
    chance = make_report(make_rows(("a", "b"), gold, np.eye(2)[own], simple=scattered))
    assert chance.deciding == report.deciding and chance.baselines == report.baselines
    assert "is not significantly better than the best baseline, simple" in (baseline_sentence(chance) or "")


def test_a_baseline_of_other_tokens_has_no_gain_and_the_report_says_why(make_report: Make) -> None:
    test = SAMPLES["generations"]()
    longer = [np.append(losses, np.float32(9)) for losses in test.predictions.evidence]
    test = replace(test, baselines={"other tokenizer": Predictions(test.predictions.answers, longer)})
    report = make_report(test, metric="perplexity")
    assert report.gains == {} and list(report.baselines) == ["other tokenizer"]
    assert "gain over other tokenizer (two models must be held against the same" in " ".join(scope_sentences(report))
    assert "was not compared in pairs" in (baseline_sentence(report) or "")
    assert beside_texts(report)[1][3:] == ("–", "–", "–")


def test_the_page_the_markdown_and_the_json_say_the_same_gains(
    test_rows: Rows, make_report: Make, history: list[dict[str, float]], tmp_path: Path
) -> None:
    report = make_report(test_rows(("no", "yes")))
    page = re.sub(r"<[^>]+>", "|", html.unescape(render_page(report, history)))
    for name, value, _, gain, p, mcnemar in beside_texts(report):
        assert "||".join([name, value, gain, p, mcnemar]) in page
        assert f"| {gain} | {p} | {mcnemar} |" in report_markdown(report, short=True)
    write_report(report, history, tmp_path)
    assert read_report(tmp_path).gains == report.gains
    kept = json.loads((tmp_path / "report.json").read_text())["gains"]["tf-idf"]
    assert kept["value"] == report.gains["tf-idf"].value and kept["mcnemar_p"] == report.gains["tf-idf"].mcnemar_p
