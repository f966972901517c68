"""Metrics of generated texts beside the text that was wanted."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from luthier.errors import LuthierError
from luthier.evaluation.metrics.inputs import texts
from luthier.evaluation.metrics.statistic import Statistic, mean, of_sums, ratio

# chrF2: n-grams of up to six characters, recall twice as important as precision.
ORDERS = 6
BETA = 2


def rouge_1(gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """Shared words."""
    return _rouge("rouge_1", "rouge1", gold, predicted)


def rouge_2(gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """Shared pairs of neighbouring words."""
    return _rouge("rouge_2", "rouge2", gold, predicted)


def rouge_l(gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """The longest sequence of words that both have in this order."""
    return _rouge("rouge_l", "rougeL", gold, predicted)


def chrf(gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """chrF2 of all rows together, as sacreBLEU computes it: Popović (2015), WMT, 392-395."""
    pairs = zip(texts(gold, "label", "chrf"), texts(predicted, "prediction", "chrf"), strict=True)
    return of_sums(_chrf, np.array([_matches(true, found) for true, found in pairs]))


def _rouge(metric: str, kind: str, gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """Mean F-measure of stemmed words: Lin (2004), "ROUGE: a package for automatic evaluation of summaries".

    Words are runs of a to z and 0 to 9; texts in other scripts have none.
    """
    # It takes a second to import, and most evaluations generate nothing.
    from rouge_score.rouge_scorer import RougeScorer

    wanted, given = texts(gold, "label", metric), texts(predicted, "prediction", metric)
    wordless = sum(not any(c.isascii() and c.isalnum() for c in text) for text in wanted)
    if wordless > len(wanted) / 2:
        raise LuthierError(
            "it sees words of a to z and 0 to 9 only, and most labels have none",
            where=metric,
            received=f"{wordless} of {len(wanted)} labels without such a word",
            remedy="choose chrf",
        )
    scorer = RougeScorer([kind], use_stemmer=True)
    return mean([scorer.score(true, found)[kind].fmeasure for true, found in zip(wanted, given, strict=True)])


def _matches(true: str, found: str) -> list[int]:
    """For each order the n-grams of the prediction, of the label, and those that both have; 3 x orders numbers.

    White space does not count. sacreBLEU counts no n-grams of a prediction whose label is too short to have any.
    """
    counts = []
    for order in range(1, ORDERS + 1):
        wanted, given = _ngrams("".join(true.split()), order), _ngrams("".join(found.split()), order)
        counts += [given.total() if wanted else 0, wanted.total(), (wanted & given).total()]
    return counts


def _ngrams(text: str, order: int) -> Counter[str]:
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))


def _chrf(sums: np.ndarray) -> np.ndarray:
    given, wanted, shared = (sums[..., column::3] for column in range(3))
    counted = ((given > 0) & (wanted > 0)).sum(axis=-1)
    precision, recall = (ratio(ratio(shared, whole).sum(axis=-1), counted) for whole in (given, wanted))
    return ratio((1 + BETA**2) * precision * recall, BETA**2 * precision + recall)
