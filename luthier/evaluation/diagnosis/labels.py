"""What the labels do: some look wrong, some are rare and missed, some are taken for others."""

from collections.abc import Iterator

import numpy as np

from luthier.evaluation.diagnosis.finding import Finding
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.known import Known
from luthier.evaluation.labels import class_scores, confusion

# A share of labels that look wrong which is worth a look.
NOISY = 0.05
# A model that gives the labels a lower mean probability contradicts nobody.
SURE = 0.7
LEAST_ROWS = 50
# Labels with less than this share of an equal part of the training rows are rare.
RARE = 0.5
# Recall so far below the mean of all labels is low; fewer validation rows say nothing of it.
LOW, LEAST_OF_LABEL = 0.15, 5
# A pair of labels is confused where this share of the one's rows is taken for the other, and so many rows are.
CONFUSED, LEAST_CONFUSED = 0.15, 5
MOST = 5


def noise(known: Known) -> float | None:
    """The share of validation labels that a sure model contradicts; None where it cannot be told.

    Confident learning: Northcutt et al. (2021), JAIR 70, 1373-1411, by cleanlab.
    """
    validation = known.validation
    if validation.head.problem != "single_label_classification" or len(validation.rows) < LEAST_ROWS:
        return None
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_self_confidence_for_each_label

    gold, outputs = np.asarray(validation.compared("accuracy")[0]), validation.outputs.astype(np.float64)
    if len(np.unique(gold)) < len(validation.head.labels):
        return None
    outputs /= outputs.sum(axis=1, keepdims=True)
    if get_self_confidence_for_each_label(gold, outputs).mean() < SURE:
        return None
    return float(num_label_issues(gold, outputs, estimation_method="off_diagonal") / len(gold))


def noise_findings(known: Known) -> Iterator[Finding]:
    """Labels that look wrong."""
    share = noise(known)
    if share is None or share < NOISY:
        return
    rows = len(known.validation.rows)
    yield Finding(
        "noisy labels",
        "medium",
        f"The model surely contradicts about {share:.1%} of {rows:,} validation labels: they are wrong, or it errs "
        "without knowing.",
        "Look at the most confident mistakes and mend the labels that are wrong; until then raise "
        "training.label_smoothing to 0.1.",
        ("training.label_smoothing",),
        {"share": share, "rows": float(rows)},
    )


def imbalance_findings(known: Known) -> Iterator[Finding]:
    """Rare labels that the model misses."""
    validation = known.validation
    labels = validation.head.labels
    if validation.head.problem != "single_label_classification" or len(labels) < 2:
        return
    gold, predicted = (np.asarray(ids) for ids in validation.compared("accuracy"))
    counts = np.bincount(np.asarray(known.train["label_id"].to_pylist()), minlength=len(labels))
    shares = counts / counts.sum()
    one_hot = np.eye(len(labels), dtype=int)
    scores = class_scores(one_hot[gold], one_hot[predicted], labels)
    recalls = [each.recall for each in scores if each.recall is not None]
    mean = float(np.mean(recalls)) if recalls else 0.0
    missed = [
        (share, each.label, each.recall)
        for share, each in zip(shares, scores, strict=True)
        if share < RARE / len(labels)
        and each.recall is not None
        and each.support >= LEAST_OF_LABEL
        and each.recall < mean - LOW
    ]
    if not missed:
        return
    said = ", ".join(
        f"{label} ({share:.1%} of the training rows, recall {r:.3f})" for share, label, r in sorted(missed)[:MOST]
    )
    least = min(missed)
    yield Finding(
        "label imbalance",
        "medium",
        f"Rare labels are missed on the validation rows, where the mean recall is {mean:.3f}: {said}.",
        "Let rare labels weigh more: set data.balance to weights, or to oversample; or add rows of them.",
        ("data.balance",),
        {
            "least share": float(least[0]),
            "its recall": float(least[2]),
            "mean recall": mean,
            "labels": float(len(missed)),
        },
    )


def confusion_findings(test: Evaluated) -> Iterator[Finding]:
    """Labels that are taken for others, on the test rows."""
    labels = test.head.labels
    if test.head.problem != "single_label_classification" or len(labels) < 3:
        return
    gold, predicted = (np.asarray(ids) for ids in test.compared("accuracy"))
    pairs = confused(confusion(gold, predicted, len(labels)))
    if not pairs:
        return
    said = ", ".join(f"{labels[true]} for {labels[other]} ({rows} of {of})" for true, other, rows, of in pairs[:MOST])
    *_, rows, of = pairs[0]
    yield Finding(
        "class confusion",
        "medium",
        f"Labels are taken for others on the test rows: {said}.",
        "Say in the labelling guide what tells them apart and mend their rows, add rows of both, or make them one "
        "label in data.columns.label.",
        ("data.columns.label",),
        {"pairs": float(len(pairs)), "rows": float(rows), "of": float(of)},
    )


def confused(counts: np.ndarray) -> list[tuple[int, int, int, int]]:
    """True label, label it is taken for, rows of that, and rows of the true label; the most rows first."""
    of = counts.sum(axis=1)
    found = [
        (int(true), int(other), int(counts[true, other]), int(of[true]))
        for true, other in zip(*np.nonzero(counts), strict=True)
        if true != other and counts[true, other] >= max(LEAST_CONFUSED, CONFUSED * of[true])
    ]
    return sorted(found, key=lambda pair: (-pair[2], pair[:2]))
