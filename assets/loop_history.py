"""What the rounds of a recipe came to: each evaluation, as Dagster recorded it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.materialization import table

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

# Evaluations that are looked through; older ones have no say.
MOST = 200
ROUND, DATA, VALIDATION = "round", "data", "validation score"
NEXT, UNTUNABLE = "what next", "no tuning mends"


@dataclass(frozen=True)
class Evaluation:
    """One evaluation. ``round`` 0 is a training before any tuning; ``validation`` is the score of its best checkpoint.

    ``event`` is the number of Dagster's record, which no other evaluation has. ``following`` says what should be done
    next, ``untunable`` what it falls short of where no hyperparameter changes it.
    """

    event: int
    run_id: str
    moment: float
    report: str
    data: str
    round: int
    validation: float
    verdict: str
    summary: str
    following: str | None = None
    untunable: str | None = None

    @classmethod
    def read(cls, record: dg.EventLogRecord) -> "Evaluation | None":
        """None for one that was recorded before rounds were."""
        materialization = record.asset_materialization
        assert materialization is not None
        found: dict[str, Any] = {name: value.value for name, value in materialization.metadata.items()}
        if not {ROUND, DATA, VALIDATION} <= found.keys():
            return None
        return cls(
            event=record.storage_id,
            run_id=record.run_id,
            moment=record.timestamp,
            report=found["digest"],
            data=found[DATA],
            round=found[ROUND],
            validation=found[VALIDATION],
            verdict=found["verdict"],
            summary=found["summary"],
            following=found.get(NEXT),
            untunable=found.get(UNTUNABLE),
        )


def evaluations(instance: dg.DagsterInstance, recipe: str) -> list[Evaluation]:
    """Those of a recipe, the oldest first."""
    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey("evaluation_report"), asset_partitions=[recipe])
    records = instance.fetch_materializations(recorded, limit=MOST).records
    return [found for record in reversed(records) if (found := Evaluation.read(record)) is not None]


def loop_metadata(
    context: dg.AssetExecutionContext, report: "EvaluationReport", number: int, data: str, score: float
) -> dict[str, Any]:
    """The round of an evaluation that is just made, its validation score, and what the ones before it came to.

    ``data`` is the digest of the splits, on which the rounds are counted.
    """
    from luthier.evaluation.next_step import next_step_sentence, untunable_sentence
    from luthier.evaluation.wording import verdict_sentence

    before = [each for each in evaluations(context.instance, context.partition_key) if each.data == data]
    rows = [_row(each.round, each.moment, each.validation, each.summary) for each in before]
    now = _row(number, datetime.now().timestamp(), score, verdict_sentence(report))
    return {
        ROUND: number,
        DATA: data,
        VALIDATION: score,
        NEXT: next_step_sentence(report),
        **({UNTUNABLE: untunable_sentence(report)} if report.untunable else {}),
        "verdicts": table([*rows, now]),
    }


def _row(number: int, moment: float, validation: float, summary: str) -> dict[str, Any]:
    return {
        "round": "first training" if number == 0 else number,
        "when": datetime.fromtimestamp(moment).isoformat(" ", timespec="minutes"),
        "validation": f"{validation:.4f}",
        "test": summary,
    }
