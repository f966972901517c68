"""Whether the validation rows, which picked the checkpoint and the values, flatter the model."""

from luthier.evaluation.diagnosis.finding import Finding
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.known import Known
from luthier.evaluation.scores import score
from luthier.evaluation.wording import interval, number


def luck_findings(known: Known, test: Evaluated, confidence: float) -> list[Finding] | None:
    """The validation score lies beyond the better end of the test score's interval; None of generated texts."""
    metric = known.metric
    if metric.generated:
        return None
    found = score(metric.name, *test.compared(metric.name), confidence=confidence)
    beyond = known.score > found.high if metric.higher_is_better else known.score < found.low
    if not beyond:
        return []
    finding = Finding(
        "lucky validation",
        "low",
        f"{metric.title} is {number(metric.name, known.score)} on the validation rows, which chose the checkpoint, and "
        f"{number(metric.name, found.value)} ({interval(metric.name, found)}) on the test rows.",
        "Choose by more rows: raise data.split.validation; let data.columns.group or data.split.by keep together what "
        "belongs together.",
        ("data.split.validation", "data.columns.group", "data.split.by"),
        {"validation": known.score, "test": found.value},
    )
    return [finding]
