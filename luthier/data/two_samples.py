"""How far two samples lie apart, and how often chance alone takes two samples of one distribution as far apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

DRAWS = 999
FOLDS = 5
# With fewer rows of a side a fold has too few to score.
FEWEST = 5 * FOLDS
# A strong prior: features are many, rows are few.
STRENGTH = 0.01
ITERATIONS = 500


@dataclass(frozen=True)
class Distance:
    """``chance`` is the share of pairs of samples of one distribution that lie at least this far apart."""

    value: float
    chance: float


def share_distance(new: Mapping[str, int], old: Mapping[str, int], *, seed: int = 0) -> Distance:
    """Total variation distance of two counts by name: half the sum of the differences of the shares, 0 to 1.

    Chance is measured on 999 random divisions of all that was counted. Neither is empty.
    """
    names = sorted(new.keys() | old.keys())
    one, other = (np.array([counts.get(name, 0) for name in names], dtype=np.int64) for counts in (new, old))
    both, rows = one + other, int(one.sum())

    def apart(first: np.ndarray) -> np.ndarray:
        second = both - first
        return np.abs(first / rows - second / (both.sum() - rows)).sum(axis=-1) / 2

    drawn = np.random.default_rng(seed).multivariate_hypergeometric(both, rows, size=DRAWS)
    found = float(apart(one))
    # Equal divisions may differ in the last digit.
    return Distance(found, float((1 + (apart(drawn) >= found - 1e-12).sum()) / (1 + DRAWS)))


def order_distance(new: np.ndarray, old: np.ndarray) -> Distance:
    """The two-sample Kolmogorov-Smirnov statistic: the greatest difference of the shares below any value, 0 to 1."""
    from scipy.stats import ks_2samp

    found = ks_2samp(new, old, method="asymp")
    return Distance(float(found.statistic), float(found.pvalue))


def classifier_distance(new: np.ndarray, old: np.ndarray, *, seed: int = 0) -> tuple[Distance, np.ndarray]:
    """How well a classifier tells rows of features apart, and how new each new row looks to it.

    The distance is the area under the ROC curve of logistic regression, the mean of five folds; 0.5 is not at all
    (Lopez-Paz and Oquab 2017, Revisiting classifier two-sample tests, arXiv 1610.06545). Chance is that of the rank
    sum. Each side has at least ``FEWEST`` rows.
    """
    from scipy.stats import norm
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.concatenate([new, old])
    is_new = np.arange(len(features)) < len(new)
    # The smaller side counts as much as the greater.
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, class_weight="balanced")
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    looks, areas = np.empty(len(features)), []
    for train, test in folds.split(features, is_new):
        looks[test] = model.fit(features[train], is_new[train]).decision_function(features[test])
        areas.append(roc_auc_score(is_new[test], looks[test]))
    value = float(np.mean(areas))
    spread = np.sqrt((len(features) + 1) / (12 * len(new) * len(old)))
    return Distance(value, float(norm.sf((value - 0.5) / spread))), looks[: len(new)]
