"""Every metric equals the library that is known for it."""

from typing import Any

import numpy as np
import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF
from scipy import stats
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from sklearn import metrics
from torchmetrics.functional.text import squad

from luthier.errors import LuthierError
from luthier.evaluation.metrics import STATISTICS
from luthier.evaluation.scores import per_row, point
from luthier.tasks.metric import METRICS
from tests.unit.evaluation.references import REFERENCES, tags
from tests.unit.evaluation.simulated import (
    SIMULATED,
    answers,
    classes,
    indicators,
    numbers,
    probabilities,
    spans,
    texts,
)

SEEDS = pytest.mark.parametrize("seed", range(5))


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_metric_that_recipes_know_can_be_computed() -> None:
    assert set(STATISTICS) == set(METRICS) == set(SIMULATED)
    for name, metric in METRICS.items():
        assert metric.low <= point(name, *SIMULATED[name](random(0), 50)) <= metric.high


def test_every_metric_has_a_reference_and_rows_to_compare_it_on() -> None:
    assert set(REFERENCES) == set(METRICS), "a metric of luthier/tasks/metric.py needs a known answer in references.py"


@SEEDS
@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_equals_its_reference(metric: str, seed: int) -> None:
    gold, found = SIMULATED[metric](random(seed), 60)
    assert point(metric, gold, found) == pytest.approx(REFERENCES[metric](gold, found), rel=1e-6)


@SEEDS
def test_class_metrics_equal_scikit_learns(seed: int) -> None:
    gold, found = classes(random(seed), 30, names=5)
    assert point("accuracy", gold, found) == pytest.approx(metrics.accuracy_score(gold, found))
    for average in ("macro", "micro"):
        expected = metrics.f1_score(gold, found, average=average, zero_division=0.0)
        assert point(f"f1_{average}", gold, found) == pytest.approx(expected)
    assert point("mcc", gold, found) == pytest.approx(metrics.matthews_corrcoef(gold, found))


@SEEDS
def test_metrics_of_several_labels_a_row_equal_scikit_learns(seed: int) -> None:
    gold, found = indicators(random(seed), 12, names=6)
    gold[:, 5] = found[:, 5] = 0  # A label that never occurs counts 0.
    assert point("accuracy", gold, found) == pytest.approx(metrics.accuracy_score(gold, found))
    for average in ("macro", "micro"):
        expected = metrics.f1_score(gold, found, average=average, zero_division=0.0)
        assert point(f"f1_{average}", gold, found) == pytest.approx(expected)


@SEEDS
def test_the_area_under_the_curve_equals_scikit_learns(seed: int) -> None:
    gold, found = probabilities(random(seed), 40, names=2)
    assert point("roc_auc", gold, found) == pytest.approx(metrics.roc_auc_score(gold, found[:, 1]))
    gold, found = probabilities(random(seed), 60, names=4)
    assert point("roc_auc", gold, found) == pytest.approx(metrics.roc_auc_score(gold, found, multi_class="ovr"))
    gold = indicators(random(seed), 60, names=4)[0]
    assert point("roc_auc", gold, found) == pytest.approx(metrics.roc_auc_score(gold, found, average="macro"))


@SEEDS
def test_metrics_of_numbers_equal_scipys(seed: int) -> None:
    gold, found = numbers(random(seed), 40)
    assert point("pearson", gold, found) == pytest.approx(stats.pearsonr(gold, found).statistic)
    assert point("spearman", gold, found) == pytest.approx(stats.spearmanr(gold, found).statistic)
    assert point("mse", gold, found) == pytest.approx(metrics.mean_squared_error(gold, found))


def test_pearsons_correlation_survives_a_far_origin() -> None:
    gold, found = numbers(random(0), 40)
    assert point("pearson", gold + 1e8, found - 1e8) == pytest.approx(point("pearson", gold, found), abs=1e-6)


@SEEDS
def test_span_metrics_equal_seqevals_on_the_tags_of_the_spans(seed: int) -> None:
    gold, found = spans(random(seed), 20)
    given = ([tags(row) for row in gold], [tags(row) for row in found])
    for name, of_seqeval in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        expected = of_seqeval(*given, mode="strict", scheme=IOB2)
        assert point(f"seqeval_{name}", gold, found) == pytest.approx(expected)


def test_spans_are_compared_as_sets_and_in_either_form() -> None:
    gold, found = [[(0, 4, "PER"), (5, 9, "LOC")]], [[(5, 9, "LOC"), (0, 4, "ORG"), (5, 9, "LOC")]]
    assert point("seqeval_f1", gold, found) == 0.5
    named = [[dict(zip(("start", "end", "label"), span, strict=True)) for span in row] for row in found]
    assert point("seqeval_f1", gold, named) == 0.5
    assert point("seqeval_precision", gold, [[]]) == 0


@SEEDS
def test_answer_metrics_equal_torchmetrics_squad_on_answerable_rows(seed: int) -> None:
    rows = [(true, found) for true, found in zip(*answers(random(seed), 40), strict=True) if true]
    expected = squad(
        [{"id": str(row), "prediction_text": found} for row, (_, found) in enumerate(rows)],
        [
            {"id": str(row), "answers": {"text": true, "answer_start": [0] * len(true)}}
            for row, (true, _) in enumerate(rows)
        ],
    )
    gold, found = [true for true, _ in rows], [found for _, found in rows]
    assert point("exact_match", gold, found) == pytest.approx(float(expected["exact_match"]) / 100)
    assert point("squad_f1", gold, found) == pytest.approx(float(expected["f1"]) / 100)


def test_a_question_without_an_answer_is_right_only_where_none_is_given() -> None:
    gold, found = [[], [], ["The Danube"], ["the"]], ["", "Vienna", "", "An"]
    for metric in ("exact_match", "squad_f1"):
        assert per_row(metric, gold, found).tolist() == [1, 0, 0, 1]


def test_a_plain_text_matches_but_for_white_space_around_it() -> None:
    found = per_row("exact_match", ["The end", "The end", ""], [" The end\n", "the end", " "])
    assert found.tolist() == [1, 0, 1]


def test_perplexity_is_the_exponential_of_cross_entropy_over_all_tokens() -> None:
    lengths = [3, 1, 7, 0]
    logits, targets = torch.randn(11, 20, generator=torch.manual_seed(0)).double(), torch.arange(11)
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    sums = [float(part.sum()) for part in losses.split(lengths)]
    assert point("perplexity", lengths, sums) == pytest.approx(float(losses.mean().exp()))


@SEEDS
def test_text_metrics_equal_rouge_score_and_sacrebleu(seed: int) -> None:
    gold, found = texts(random(seed), 12)
    found[:2] = ["", "Ünïcode — déjà vu"]
    for metric, kind in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        scorer = RougeScorer([kind], use_stemmer=True)
        expected = np.mean([scorer.score(true, made)[kind].fmeasure for true, made in zip(gold, found, strict=True)])
        assert point(metric, gold, found) == pytest.approx(expected)
    assert point("chrf", gold, found) == pytest.approx(CHRF().corpus_score(found, [gold]).score / 100)


@pytest.mark.parametrize(("gold", "found"), [("ab", "abcdefgh"), ("abcdefgh", "ab"), ("abc", "xyz"), ("x", "")])
def test_short_texts_have_sacrebleus_chrf_too(gold: str, found: str) -> None:
    expected = CHRF().corpus_score([found, found], [[gold, "a  longer\ttext "]]).score / 100
    assert point("chrf", [gold, "a  longer\ttext "], [found, found]) == pytest.approx(expected)


def test_shared_words_count_by_stem() -> None:
    assert point("rouge_1", ["two running dogs"], ["two dog runs"]) == 1
    assert point("rouge_l", ["two running dogs"], ["two dog runs"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_numbers_a_row_have_the_metric_as_their_mean_where_it_is_one(metric: str) -> None:
    rows = SIMULATED[metric](random(1), 40)
    found = per_row(metric, *rows)
    means = {"accuracy", "f1_micro", "mse", "exact_match", "squad_f1", "rouge_1", "rouge_2", "rouge_l"}
    assert (found is not None) == (metric in means)
    if found is not None:
        assert found.shape == (40,)
        assert found.mean() == pytest.approx(point(metric, *rows))


@pytest.mark.parametrize("metric", ["mcc", "pearson", "spearman"])
def test_one_prediction_for_all_rows_correlates_with_nothing(metric: str) -> None:
    gold = np.array([0.1, 0.7, 0.1, 0.4])
    assert point(metric, gold, np.full(4, 0.1)) == 0


@pytest.mark.parametrize(
    ("metric", "gold", "found", "said"),
    [
        ("mcc", [[1, 0], [0, 1]], [[1, 0], [0, 1]], "one label a row"),
        ("f1_micro", [[0, 0], [0, 0]], [[1, 0], [0, 1]], "no row has a label"),
        ("f1_macro", [[1, 2], [0, 1]], [[1, 0], [0, 1]], "0 or 1"),
        ("roc_auc", [[0.2, 1], [0, 1]], [[0.4, 0.6], [0.3, 0.7]], "0 or 1"),
        ("accuracy", [[1, 0], [0, 1]], [1, 0], "one shape"),
        ("roc_auc", [0, 0], [[0.4, 0.6], [0.3, 0.7]], "rows of every class"),
        ("roc_auc", [0, 1], [[0.2, 0.3, 0.5], [0.3, 0.3, 0.4]], "rows of every class"),
        ("roc_auc", [[1, 0], [1, 1]], [[0.4, 0.6], [0.3, 0.7]], "rows of every class"),
        ("roc_auc", [0, 1], [0.4, 0.6], "a probability of each class"),
        ("roc_auc", [1, 2], [[0.4, 0.6], [0.3, 0.7]], "a label has no probability"),
        ("roc_auc", [0, 1], [[0.4, 0.6], [float("nan"), 0.7]], "not finite"),
        ("pearson", [2.0, 2.0], [1.0, 2.0], "nothing correlates with a constant"),
        ("spearman", [2.0], [1.0], "nothing correlates with a constant"),
        ("mse", [2.0, 1.0], [1.0, float("inf")], "not finite"),
        ("seqeval_f1", [[], []], [[(0, 1, "PER")], []], "no row has an entity"),
        ("exact_match", [["yes"], []], ["yes", None], "must be a text"),
        ("squad_f1", ["yes"], ["yes"], "list of acceptable answers"),
        ("perplexity", [0, 0], [0.0, 0.0], "no tokens"),
        ("perplexity", [1, 1], [1e4, 1e4], "not finite"),
        ("chrf", ["yes"], [["yes"]], "must be a text"),
        ("rouge_1", ["да", "нет", "yes"], ["да", "нет", "yes"], "choose chrf"),
    ],
)
def test_what_is_undefined_is_refused_with_the_reason(metric: str, gold: Any, found: Any, said: str) -> None:
    with pytest.raises(LuthierError, match=said):
        point(metric, gold, found)
