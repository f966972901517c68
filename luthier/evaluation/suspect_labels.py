"""Labels that are probably wrong: confident learning, Northcutt et al. (2021), arXiv 1911.00068, by cleanlab.

Probabilities must come from a model that did not learn from the row itself.
"""

from dataclasses import dataclass

import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from cleanlab.multilabel_classification.rank import get_label_quality_scores as qualities_of_several
from cleanlab.rank import get_label_quality_scores
from sklearn.model_selection import KFold, StratifiedKFold

from luthier.errors import LuthierError
from luthier.evaluation.baselines import linear_probe
from luthier.tasks.head import Head

# Fewer rows than this say nothing of how a label is confused.
LEAST_ROWS = 20
# Of a label with fewer rows, other folds hold too few to learn it from.
FOLDS = 5


@dataclass(frozen=True)
class Suspects:
    """Rows whose label is probably wrong, the likeliest first.

    ``places`` are those in the table that was searched, ``suggested`` label ids (rows,) or indicators (rows x labels),
    ``quality`` how well each given label fits: 1 is good.
    """

    places: np.ndarray
    suggested: np.ndarray
    quality: np.ndarray


def suspects(gold: np.ndarray, probabilities: np.ndarray) -> Suspects:
    """``gold`` are ids (rows,) or indicators (rows x labels), ``probabilities`` out of sample (rows x labels).

    Raises:
        LuthierError: there are too few rows, or only one label.
    """
    if len(gold) < LEAST_ROWS:
        raise LuthierError("too few rows to search for wrong labels", where="label errors", received=len(gold))
    if gold.ndim == 2:
        return _among_several(gold, probabilities)
    known = np.unique(gold)
    if len(known) < 2:
        raise LuthierError("all rows have one label", where="label errors")
    ids, of_known = _of_known(gold, probabilities, known)
    # One process: forks of one that holds torch's threads may hang.
    places = np.flatnonzero(find_label_issues(ids, of_known, n_jobs=1))
    return _ranked(places, known[of_known.argmax(axis=1)], get_label_quality_scores(ids, of_known))


def wrong_share(gold: np.ndarray, probabilities: np.ndarray) -> float:
    """The share of ids (rows,) that are probably wrong: what is off the diagonal of the confident joint."""
    ids, of_known = _of_known(gold, probabilities, np.unique(gold))
    return float(num_label_issues(ids, of_known, estimation_method="off_diagonal") / len(gold))


def _of_known(gold: np.ndarray, probabilities: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids and probabilities of the labels that some row has, alone."""
    # In float32, probabilities do not add up to 1 as closely as cleanlab wants them to.
    of_known = probabilities[:, known].astype(float) + 1e-12
    return np.searchsorted(known, gold), of_known / of_known.sum(axis=1, keepdims=True)


def _among_several(gold: np.ndarray, probabilities: np.ndarray) -> Suspects:
    given, outputs = [np.flatnonzero(row).tolist() for row in gold], probabilities.astype(float)
    wrong = find_multilabel_issues_per_class(given, outputs, n_jobs=1).astype(bool)
    suggested = np.where(wrong, 1 - gold, gold)
    return _ranked(np.flatnonzero(wrong.any(axis=1)), suggested, qualities_of_several(given, outputs))


def _ranked(places: np.ndarray, suggested: np.ndarray, quality: np.ndarray) -> Suspects:
    order = places[np.argsort(quality[places], kind="stable")]
    return Suspects(order, suggested[order], quality[order])


def learnable(gold: np.ndarray) -> np.ndarray:
    """Rows (bool) whose label at least ``FOLDS`` rows have; with several labels a row, every row."""
    if gold.ndim == 2:
        return np.ones(len(gold), dtype=bool)
    return np.bincount(gold)[gold] >= FOLDS


def cross_validated(features: np.ndarray, gold: np.ndarray, head: Head, *, seed: int = 17) -> np.ndarray:
    """Probabilities (rows x labels) from linear models on features (rows x features), each of rows it did not see."""
    kind = StratifiedKFold if gold.ndim == 1 else KFold
    found = np.empty((len(gold), len(head.labels)))
    for seen, unseen in kind(FOLDS, shuffle=True, random_state=seed).split(features, gold):
        found[unseen] = linear_probe(features[seen], gold[seen], features[unseen], head)
    return found
