"""The metrics that tasks are judged by: what they are called, which way is better, what values they may have."""

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Metric:
    """A metric; one that is ``generated`` compares texts that the model has to generate."""

    name: str
    title: str
    higher_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    generated: bool = False

    def reaches(self, value: float, target: float) -> bool:
        """Whether ``value`` is as good as ``target`` at least."""
        return value >= target if self.higher_is_better else value <= target


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy"),
        Metric("f1_macro", "macro F1"),
        Metric("f1_micro", "micro F1"),
        Metric("mcc", "Matthews correlation", low=-1.0),
        Metric("roc_auc", "ROC AUC"),
        Metric("pearson", "Pearson correlation", low=-1.0),
        Metric("spearman", "Spearman correlation", low=-1.0),
        Metric("mse", "mean squared error", higher_is_better=False, high=math.inf),
        Metric("seqeval_f1", "entity F1"),
        Metric("seqeval_precision", "entity precision"),
        Metric("seqeval_recall", "entity recall"),
        Metric("exact_match", "exact match"),
        Metric("squad_f1", "answer F1"),
        Metric("perplexity", "perplexity", higher_is_better=False, low=1.0, high=math.inf),
        Metric("rouge_1", "ROUGE-1", generated=True),
        Metric("rouge_2", "ROUGE-2", generated=True),
        Metric("rouge_l", "ROUGE-L", generated=True),
        Metric("chrf", "chrF", generated=True),
    )
}
"""By name, as recipes have it."""
