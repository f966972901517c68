"""Random rows of every metric's kind, about seven in ten of them right."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Rows = tuple[Any, Any]
Span = tuple[int, int, str]
WORDS = ("the", "a", "quick", "brown", "foxes", "jumped", "Over", "lazy,", "dogs!", "running", "Paris", "7")


def classes(random: np.random.Generator, rows: int, names: int = 3) -> Rows:
    gold = random.integers(0, names, rows)
    return gold, np.where(random.random(rows) < 0.7, gold, random.integers(0, names, rows))


def indicators(random: np.random.Generator, rows: int, names: int = 4) -> Rows:
    gold = (random.random((rows, names)) < 0.3).astype(int)
    return gold, np.where(random.random((rows, names)) < 0.85, gold, 1 - gold)


def probabilities(random: np.random.Generator, rows: int, names: int = 3) -> Rows:
    gold = random.integers(0, names, rows)
    # Few decimals, so that there are ties.
    weights = (random.random((rows, names)) + np.eye(names)[gold] / 2).round(2)
    return gold, weights / weights.sum(axis=1, keepdims=True)


def numbers(random: np.random.Generator, rows: int) -> Rows:
    gold = random.normal(3, 1, rows).round(1)
    return gold, gold + random.normal(0, 0.8, rows).round(1)


def spans(random: np.random.Generator, rows: int) -> Rows:
    """Entities of one or two words in rows of twelve words, some missed, some of another kind or length."""
    gold: list[list[Span]] = []
    found: list[list[Span]] = []
    for _ in range(rows):
        starts = np.flatnonzero(random.random(4) < 0.6) * 3
        true = [
            (int(start), int(start) + int(random.integers(1, 3)), str(random.choice(["PER", "LOC"])))
            for start in starts
        ]
        gold.append(true)
        found.append(
            [(s, e, n) if random.random() < 0.7 else (s, s + 1, "ORG") for s, e, n in true if random.random() < 0.9]
        )
    return gold, found


def phrase(random: np.random.Generator, least: int, most: int) -> str:
    return " ".join(random.choice(WORDS, random.integers(least, most)))


def answers(random: np.random.Generator, rows: int) -> Rows:
    gold = [[phrase(random, 2, 6) for _ in range(random.integers(0, 3))] for _ in range(rows)]
    found = [(true[-1].upper() if true else "") if random.random() < 0.6 else phrase(random, 0, 5) for true in gold]
    return gold, found


def texts(random: np.random.Generator, rows: int) -> Rows:
    gold = [phrase(random, 3, 12) for _ in range(rows)]
    found = [" ".join(w for w in true.split() if random.random() < 0.7) + " " + phrase(random, 0, 4) for true in gold]
    return gold, found


def likelihoods(random: np.random.Generator, rows: int) -> Rows:
    counts = random.integers(1, 30, rows)
    return counts, counts * random.gamma(4, 0.5, rows)


SIMULATED: Mapping[str, Callable[[np.random.Generator, int], Rows]] = {
    **dict.fromkeys(("accuracy", "f1_macro", "f1_micro", "mcc"), classes),
    "roc_auc": probabilities,
    **dict.fromkeys(("pearson", "spearman", "mse"), numbers),
    **dict.fromkeys(("seqeval_f1", "seqeval_precision", "seqeval_recall"), spans),
    **dict.fromkeys(("exact_match", "squad_f1"), answers),
    "perplexity": likelihoods,
    **dict.fromkeys(("rouge_1", "rouge_2", "rouge_l", "chrf"), texts),
}
