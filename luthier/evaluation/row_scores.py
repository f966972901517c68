"""How well each row is answered, for tasks of every kind: what says which of two models answered a row better."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.metrics.statistic import f1
from luthier.evaluation.readable import span_of
from luthier.evaluation.scores import per_row, point

# Rows whose scores differ by less are answered alike.
ROUNDING = 1e-9


def row_scores(test: Evaluated) -> tuple[str, np.ndarray]:
    """What the score of a row is called, and that of each row (rows,), more being better; every row has an answer."""
    if test.head.problem == "regression":
        gold, found = (np.asarray(values, dtype=float) for values in test.compared("mse"))
        return "closeness", -np.abs(gold - found)
    if test.head.kind == "token-classification":
        return "entity F1", _entity_f1(*test.compared("seqeval_f1"))
    if test.head.is_language_model:
        pairs = zip(*test.compared("chrf"), strict=True)
        return "chrF", np.array([point("chrf", [wanted], [given]) for wanted, given in pairs])
    metric, name = {
        "question-answering": ("squad_f1", "answer F1"),
        "sequence-classification": ("accuracy", "accuracy"),
    }[test.head.kind]
    rows = per_row(metric, *test.compared(metric))
    assert rows is not None
    return name, rows


def _entity_f1(gold: Sequence[Any], predicted: Sequence[Any]) -> np.ndarray:
    """1 where there is nothing to find and nothing was found."""
    rows = [[{span_of(span) for span in spans} for spans in pair] for pair in zip(gold, predicted, strict=True)]
    right, true, found = np.array([(len(t & f), len(t), len(f)) for t, f in rows]).T
    return np.where(true + found == 0, 1.0, f1(right, true, found))
