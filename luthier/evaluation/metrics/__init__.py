"""Metrics as functions of how often each row is drawn, one file a group: their intervals are resampled alike."""

from collections.abc import Callable, Mapping
from typing import Any

from luthier.evaluation.metrics.answers import exact_match, squad_f1
from luthier.evaluation.metrics.classification import accuracy, f1_macro, f1_micro, mcc
from luthier.evaluation.metrics.numbers import mse, pearson, perplexity
from luthier.evaluation.metrics.order import roc_auc, spearman
from luthier.evaluation.metrics.spans import entity_f1, entity_precision, entity_recall
from luthier.evaluation.metrics.statistic import Statistic
from luthier.evaluation.metrics.texts import chrf, rouge_1, rouge_2, rouge_l

STATISTICS: Mapping[str, Callable[[Any, Any], Statistic]] = {
    "accuracy": accuracy,
    "f1_macro": f1_macro,
    "f1_micro": f1_micro,
    "mcc": mcc,
    "roc_auc": roc_auc,
    "pearson": pearson,
    "spearman": spearman,
    "mse": mse,
    "seqeval_f1": entity_f1,
    "seqeval_precision": entity_precision,
    "seqeval_recall": entity_recall,
    "exact_match": exact_match,
    "squad_f1": squad_f1,
    "perplexity": perplexity,
    "rouge_1": rouge_1,
    "rouge_2": rouge_2,
    "rouge_l": rouge_l,
    "chrf": chrf,
}
"""By name, as recipes and ``luthier.tasks.metric`` have it."""
