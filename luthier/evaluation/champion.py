"""The registered champion and a new model on the same test rows, those left out that the champion was trained on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.overlap import said_before
from luthier.errors import LuthierError
from luthier.evaluation.champion_comparison import ChampionAnswers, ChampionComparison
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.gate import margin_of, standing
from luthier.evaluation.paired import paired_difference, same_gold
from luthier.evaluation.scores import score
from luthier.packaging.serving import ServedModel, Serving
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.head import Head
from luthier.tasks.metric import METRICS
from luthier.tasks.task import Inference, Predictions

log = logging.getLogger(__name__)

# On fewer rows hardly any difference would be more than chance.
LEAST_ROWS = 20


@dataclass(frozen=True)
class Champion:
    """A registered version. ``digest`` names what it is; ``seen`` are the folders of the splits it was made with.

    ``obstacle`` says why it cannot be asked; then there is nothing to ``load``.
    """

    model: str
    version: str
    digest: str
    load: Callable[[], ServedModel] | None = None
    seen: tuple[Path, ...] = ()
    obstacle: str | None = None


@dataclass(frozen=True)
class BesideChampion:
    """What came of a comparison, and what the champion answered, where it was asked."""

    comparison: ChampionComparison
    answers: ChampionAnswers | None = None


def compare_with_champion(
    champion: Champion, test: Evaluated, *, how: Inference, evaluation: EvaluationSection, threshold: float
) -> BesideChampion:
    """Scores ``test``, which the candidate has answered, with the champion too, as it is served.

    ``how`` is how the candidate was asked; ``threshold`` the similarity from which two texts are nearly the same.
    """
    nothing = ChampionComparison(champion.model, champion.version, champion.digest)
    if champion.load is None:
        return BesideChampion(_impossible(nothing, champion.obstacle or "it cannot be asked"))
    try:
        served = champion.load()
    except (LuthierError, OSError, ValueError) as error:
        return BesideChampion(_impossible(nothing, f"it cannot be loaded: {error}"))
    if (other := _other_work(served.serving, test)) is not None:
        return BesideChampion(_impossible(nothing, other))
    new = ~said_before(test.rows, _seen_rows(champion), threshold)
    counted = replace(nothing, left_out=int((~new).sum()))
    if new.sum() < LEAST_ROWS:
        return BesideChampion(_impossible(counted, _too_few(int(new.sum()))))
    candidate = test.where(new)
    asked = served.serving.inference(generated_rows=int(new[: how.generated_rows].sum()))
    log.info("predicting %d test rows with the champion, %s version %s", new.sum(), champion.model, champion.version)
    answers = served.predict(candidate.rows, asked)
    answers = _in_order_of(candidate.head, answers, served.serving.head)
    found = _scored(counted, candidate, replace(candidate, predictions=answers), evaluation)
    return BesideChampion(found, ChampionAnswers(champion.version, tuple(np.flatnonzero(new).tolist()), answers))


def _scored(
    found: ChampionComparison, candidate: Evaluated, champion: Evaluated, evaluation: EvaluationSection
) -> ChampionComparison:
    metric, confidence = evaluation.metric, evaluation.confidence
    first, second = candidate.compared(metric), champion.compared(metric)
    if not same_gold(first, second):
        reason = f"{METRICS[metric].title} counts tokens, and theirs are not the same: another tokenizer or max_length"
        return _impossible(found, reason)
    if len(first[0]) < LEAST_ROWS:
        return _impossible(found, _too_few(len(first[0])))
    try:
        difference = paired_difference(metric, first, second, confidence=confidence)
        scores = [score(metric, *compared, confidence=confidence) for compared in (first, second)]
    except LuthierError as error:
        return _impossible(found, f"{METRICS[metric].title} is {error.what}")
    return replace(
        found,
        rows=len(first[0]),
        candidate=scores[0],
        champion=scores[1],
        difference=difference,
        margin=margin_of(metric, scores[1].value, evaluation.gate.champion_margin),
        reaches_target=standing(metric, scores[1], target=evaluation.target, require=evaluation.require)[0],
    )


def _impossible(found: ChampionComparison, reason: str) -> ChampionComparison:
    log.warning("not compared with %s version %s: %s", found.model, found.version, reason)
    return replace(found, reason=reason)


def _too_few(rows: int) -> str:
    left = "no test row is" if not rows else f"{rows} test row{'s are' if rows > 1 else ' is'}"
    return f"{left} new to it, and at least {LEAST_ROWS} are needed"


def _other_work(serving: Serving, test: Evaluated) -> str | None:
    """What the champion does that is not the candidate's work."""
    if serving.task != test.task.name:
        return f"its task is {serving.task}, and not {test.task.name}"
    own, head = serving.head, test.head
    if own.problem != head.problem:
        return f"it does {own.problem}, and not {head.problem}"
    if set(own.labels) != set(head.labels):
        changes = [("without", set(head.labels) - set(own.labels)), ("with", set(own.labels) - set(head.labels))]
        said = [f"{word} {', '.join(sorted(names))}" for word, names in changes if names]
        return f"its labels are others: {' and '.join(said)}"
    return None


def _seen_rows(champion: Champion) -> list[pa.Table]:
    files = [folder / f"{split}.parquet" for folder in champion.seen for split in ("train", "validation")]
    return [pq.read_table(file, columns=["text", "pair"]) for file in files]


def _in_order_of(head: Head, answers: Predictions, own: Head) -> Predictions:
    """Evidence of classes in the order of ``head``'s labels; of other heads nothing that is compared has an order."""
    if own.labels == head.labels or head.kind != "sequence-classification":
        return answers
    order = [own.labels.index(label) for label in head.labels]
    return replace(answers, evidence=[numbers[order] for numbers in answers.evidence])
