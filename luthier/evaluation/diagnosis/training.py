"""What the training did: under-fitting, over-fitting, divergence, by its log and by scores of rows it learned from."""

from typing import Final

from luthier.evaluation.diagnosis.finding import Finding, Kind, Severity
from luthier.evaluation.known import Known
from luthier.evaluation.wording import number
from luthier.tasks.metric import METRICS, Metric
from luthier.training import diagnosis

# Of the metric's range: training rows that are answered so much better were learned by heart.
GAP = 0.1
# Within this share of the range training and validation rows are answered alike.
ALIKE = 0.05

# What each is called here, what may mend it, and by which fields, where the method has them.
REMEDIES: Final[dict[diagnosis.Kind, tuple[Kind, str, tuple[str, ...]]]] = {
    "divergence": (
        "divergence",
        "Train more gently: lower training.learning_rate, raise training.warmup or lower training.max_grad_norm",
        ("training.learning_rate", "training.warmup", "training.max_grad_norm"),
    ),
    "overfitting": (
        "overfitting",
        "Restrain the training: raise training.weight_decay, lower training.epochs",
        ("training.weight_decay", "training.epochs", "method.dropout", "method.r"),
    ),
    "underfitting": (
        "underfitting",
        "Let it learn more: raise training.learning_rate or training.epochs",
        ("training.learning_rate", "training.epochs", "method.r"),
    ),
    "short": (
        "underfitting",
        "Train longer: raise training.epochs, or lower training.batch_size",
        ("training.epochs",),
    ),
}
FURTHER: Final = {
    "overfitting": {"method.dropout": "raise method.dropout", "method.r": "lower method.r"},
    "underfitting": {"method.r": "raise method.r"},
}


def training_findings(known: Known) -> list[Finding] | None:
    """One finding at most: what the log says, else what the scores say; None where neither says anything."""
    metric = METRICS[known.validation.task.selected_by(known.metric.name)]
    if not any(f"eval_{metric.name}" in entry for entry in known.history):
        return None
    found = diagnosis.diagnose(known.history, metric)
    if found.kind in REMEDIES and not (found.kind == "short" and known.reaches_target):
        return [_finding(known, found.kind, f"{found.evidence[0].upper()}{found.evidence[1:]}.", {})]
    if (finding := _by_scores(known, metric)) is not None:
        return [finding]
    return None if found.kind == "short" else []


def _by_scores(known: Known, metric: Metric) -> Finding | None:
    """Training rows that were scored with the best validation, beside the validation rows themselves."""
    pair = _best_pair(known, metric)
    span = metric.high - metric.low
    if pair is None or span == float("inf"):
        return None
    train, validation = pair
    gap = (train - validation) if metric.higher_is_better else (validation - train)
    said = f"{metric.title} is {number(metric.name, train)} on training rows, {number(metric.name, validation)} on"
    numbers = {"train": train, "validation": validation}
    if gap > GAP * span:
        return _finding(known, "overfitting", f"{said} validation rows: much was learned by heart.", numbers)
    target, decides = known.evaluation.target, metric.name == known.metric.name
    if decides and not metric.reaches(train, target) and not metric.reaches(validation, target) and gap < ALIKE * span:
        said = f"{said} validation rows: even what it learned from stays short of {target:g}."
        return _finding(known, "underfitting", said, numbers)
    return None


def _best_pair(known: Known, metric: Metric) -> tuple[float, float] | None:
    """Scores of the training sample and the validation rows at the best validation."""
    pairs = []
    for entry, following in zip(known.history, [*known.history[1:], {}], strict=True):
        if f"eval_{metric.name}" in entry and f"train_{metric.name}" in following:
            pairs.append((following[f"train_{metric.name}"], entry[f"eval_{metric.name}"]))
    best = max if metric.higher_is_better else min
    return best(pairs, key=lambda pair: pair[1]) if pairs else None


def _finding(known: Known, kind: diagnosis.Kind, evidence: str, numbers: dict[str, float]) -> Finding:
    name, remedy, fields = REMEDIES[kind]
    own = tuple(field for field in fields if field.startswith("training.") or known.has(field.partition(".")[2]))
    said = [remedy, *(words for field, words in FURTHER.get(kind, {}).items() if field in own)]
    return Finding(name, _severity(name, known), evidence, f"{'; '.join(said)}.", own, numbers)


def _severity(kind: Kind, known: Known) -> Severity:
    if kind == "divergence":
        return "high"
    return "low" if known.reaches_target else "high"
