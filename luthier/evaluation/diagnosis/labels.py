"""What the labels do: some look wrong, some are rare and missed, some are taken for others."""

from collections.abc import Sequence

import numpy as np

from luthier.evaluation.diagnosis.finding import Finding
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.known import Known
from luthier.evaluation.labels import ConfusedPair, class_scores, confused_pairs, confusion, indicators

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
    """The share of validation labels that a sure model contradicts; None where it cannot be told."""
    validation = known.validation
    if validation.head.problem != "single_label_classification" or len(validation.rows) < LEAST_ROWS:
        return None
    gold, outputs = np.asarray(validation.compared("accuracy")[0]), validation.outputs
    labels_there, mean_probability = len(np.unique(gold)), outputs[np.arange(len(gold)), gold].mean()
    if labels_there < len(validation.head.labels) or mean_probability < SURE:
        return None
    # It imports torch, which reading a report need not wait for.
    from luthier.evaluation.suspect_labels import wrong_share

    return wrong_share(gold, outputs)


def noise_findings(known: Known) -> list[Finding] | None:
    """Labels that look wrong; None where it cannot be told."""
    share = noise(known)
    if share is None:
        return None
    if share < NOISY:
        return []
    rows = len(known.validation.rows)
    finding = Finding(
        "noisy labels",
        "medium",
        f"The model surely contradicts about {share:.1%} of {rows:,} validation labels: they are wrong, or it errs "
        "without knowing.",
        "Look at the most confident mistakes and mend the labels that are wrong; until then raise "
        "training.label_smoothing to 0.1.",
        ("training.label_smoothing",),
        {"share": share, "rows": float(rows)},
    )
    return [finding]


def imbalance_findings(known: Known) -> list[Finding] | None:
    """Rare labels that the model misses; None where a row has no one label."""
    validation = known.validation
    labels = validation.head.labels
    if validation.head.problem != "single_label_classification" or len(labels) < 2:
        return None
    gold, predicted = (np.asarray(ids) for ids in validation.compared("accuracy"))
    counts = np.bincount(np.asarray(known.train["label_id"].to_pylist()), minlength=len(labels))
    shares = counts / counts.sum()
    members, given = (indicators(ids, len(labels)) for ids in (gold, predicted))
    scores = class_scores(members, given, labels)
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
        return []
    said = ", ".join(
        f"{label} ({share:.1%} of the training rows, recall {r:.3f})" for share, label, r in sorted(missed)[:MOST]
    )
    least = min(missed)
    finding = Finding(
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
    return [finding]


def confusion_findings(test: Evaluated) -> list[Finding] | None:
    """Labels that are taken for others, on the test rows; None where there are no three of them, one a row."""
    labels = test.head.labels
    if test.head.problem != "single_label_classification" or len(labels) < 3:
        return None
    gold, predicted = (np.asarray(ids) for ids in test.compared("accuracy"))
    pairs = confused(confusion(gold, predicted, len(labels)), labels)
    if not pairs:
        return []
    said = ", ".join(f"{pair.true} for {pair.predicted} ({pair.rows} of {pair.of})" for pair in pairs[:MOST])
    finding = Finding(
        "class confusion",
        "medium",
        f"Labels are taken for others on the test rows: {said}.",
        "Say in the labelling guide what tells them apart and mend their rows, add rows of both, or make them one "
        "label in data.columns.label.",
        ("data.columns.label",),
        {"pairs": float(len(pairs)), "rows": float(pairs[0].rows), "of": float(pairs[0].of)},
    )
    return [finding]


def confused(counts: np.ndarray, labels: Sequence[str]) -> list[ConfusedPair]:
    """The pairs of a confusion that are more than a few rows, the most rows first."""
    pairs = confused_pairs(counts, labels)
    return [pair for pair in pairs if pair.rows >= LEAST_CONFUSED and pair.share >= CONFUSED]
