"""Metrics of answers: SQuAD's (Rajpurkar et al. 2016, arXiv 1606.05250; unanswerable questions 2018, 1806.03822).

A row has any number of acceptable answers, none where the question has no answer: the prediction is then ``""``.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from luthier.errors import LuthierError
from luthier.evaluation.metrics.inputs import texts
from luthier.evaluation.metrics.statistic import Statistic, mean

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(gold: Sequence[Sequence[str]] | Sequence[str], predicted: Sequence[str]) -> Statistic:
    """The share of predictions that equal an acceptable answer but for case, punctuation and articles.

    A plain text as gold is compared as it is, without white space around it.
    """
    if isinstance(gold[0], str):
        pairs = zip(texts(gold, "label", "exact_match"), texts(predicted, "prediction", "exact_match"), strict=True)
        return mean([true.strip() == found.strip() for true, found in pairs], proportion=True)
    return mean(_best(gold, predicted, "exact_match", lambda true, found: float(true == found)), proportion=True)


def squad_f1(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> Statistic:
    """The mean over rows of the F1 of shared words with the nearest acceptable answer."""
    return mean(_best(gold, predicted, "squad_f1", _word_f1))


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def _best(
    gold: Sequence[Sequence[str]] | Sequence[str],
    predicted: Sequence[str],
    metric: str,
    agreement: Callable[[str, str], float],
) -> list[float]:
    found = [normalised(text) for text in texts(predicted, "prediction", metric)]
    rows = []
    for answers, answer in zip(gold, found, strict=True):
        if isinstance(answers, str):
            raise LuthierError("a row's label must be a list of acceptable answers", where=metric, received=answers)
        # The answer "The" normalises to nothing, as no answer does.
        acceptable = [true for true in map(normalised, texts(answers, "label", metric)) if true] or [""]
        rows.append(max(agreement(true, answer) for true in acceptable))
    return rows


def _word_f1(true: str, found: str) -> float:
    true_words, found_words = true.split(), found.split()
    if not true_words or not found_words:
        return float(true_words == found_words)
    shared = (Counter(true_words) & Counter(found_words)).total()
    return 2 * shared / (len(true_words) + len(found_words))
