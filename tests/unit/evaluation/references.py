"""The library that is known for each metric, computing it for rows as ``luthier.evaluation.metrics`` takes them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF
from scipy import stats
from seqeval import metrics as seqeval
from seqeval.scheme import IOB2
from sklearn import metrics
from torchmetrics.functional.text import squad
from torchmetrics.functional.text.squad import _normalize_text
from torchmetrics.text import Perplexity

from tests.unit.evaluation.simulated import Span

WORDS_OF_A_ROW = 12


def tags(row: list[Span]) -> list[str]:
    found = ["O"] * WORDS_OF_A_ROW
    for start, end, label in row:
        found[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return found


def _of_tags(of_seqeval: Callable[..., Any]) -> Callable[[Any, Any], float]:
    return lambda gold, found: float(
        of_seqeval([tags(row) for row in gold], [tags(row) for row in found], mode="strict", scheme=IOB2)
    )


def _f1(average: str) -> Callable[[Any, Any], float]:
    return lambda gold, found: float(metrics.f1_score(gold, found, average=average, zero_division=0.0))


def _squad(name: str) -> Callable[[Any, Any], float]:
    """torchmetrics has no rows without an answer: SQuAD 2.0's own script compares with "", both normalised."""

    def of(gold: list[list[str]], found: list[str]) -> float:
        asked = [(true, given) for true, given in zip(gold, found, strict=True) if true]
        answered = [{"id": str(row), "prediction_text": given} for row, (_, given) in enumerate(asked)]
        wanted = [
            {"id": str(row), "answers": {"text": true, "answer_start": [0] * len(true)}}
            for row, (true, _) in enumerate(asked)
        ]
        without = sum(not _normalize_text(given) for true, given in zip(gold, found, strict=True) if not true)
        return (float(squad(answered, wanted)[name]) / 100 * len(asked) + without) / len(gold)

    return of


def _rouge(kind: str) -> Callable[[Any, Any], float]:
    scorer = RougeScorer([kind], use_stemmer=True)
    return lambda gold, found: float(
        np.mean([scorer.score(true, given)[kind].fmeasure for true, given in zip(gold, found, strict=True)])
    )


def _perplexity(counts: Any, losses: Any) -> float:
    """Of two tokens to choose from, the wanted one has its row's mean likelihood."""
    likelihood = np.exp(-np.repeat(losses / counts, counts))
    logits = torch.tensor(np.log(np.stack([likelihood, 1 - likelihood], axis=1)))[None]
    return float(Perplexity().double()(logits, torch.zeros(logits.shape[:2], dtype=torch.long)))


REFERENCES: Mapping[str, Callable[[Any, Any], float]] = {
    "accuracy": metrics.accuracy_score,
    "f1_macro": _f1("macro"),
    "f1_micro": _f1("micro"),
    "mcc": metrics.matthews_corrcoef,
    "roc_auc": lambda gold, found: metrics.roc_auc_score(gold, found, multi_class="ovr"),
    "pearson": lambda gold, found: float(stats.pearsonr(gold, found).statistic),
    "spearman": lambda gold, found: float(stats.spearmanr(gold, found).statistic),
    "mse": metrics.mean_squared_error,
    "seqeval_f1": _of_tags(seqeval.f1_score),
    "seqeval_precision": _of_tags(seqeval.precision_score),
    "seqeval_recall": _of_tags(seqeval.recall_score),
    "exact_match": _squad("exact_match"),
    "squad_f1": _squad("f1"),
    "perplexity": _perplexity,
    "rouge_1": _rouge("rouge1"),
    "rouge_2": _rouge("rouge2"),
    "rouge_l": _rouge("rougeL"),
    "chrf": lambda gold, found: CHRF().corpus_score(found, [gold]).score / 100,
}
"""By name, as recipes have it."""
