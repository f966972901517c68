"""How steady answers are: the same test rows with typos, in other case, with other spaces and punctuation."""

from dataclasses import dataclass, replace

import numpy as np

from luthier.evaluation.changed_copies import Copies, changed_copies
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.metrics.answers import normalised
from luthier.evaluation.paired import PairedDifference, paired_difference
from luthier.evaluation.readable import answer_text, span_of
from luthier.evaluation.scores import point
from luthier.evaluation.wording import listed, metric_name, number, places, shortened, signed
from luthier.tasks.task import Predictions

MOST_EXAMPLES = 3
LONGEST_TEXT, LONGEST_ANSWER = 160, 120
# Of a long text, so many characters stand before the first that changed.
LEAD = 40


@dataclass(frozen=True)
class Flip:
    """A row before and after a change, and what was answered to it."""

    text: str
    changed_text: str
    answer: str
    changed_answer: str


@dataclass(frozen=True)
class Change:
    """One way to change texts: the metric of ``rows`` rows before and after it, positive ``gain`` where it helps.

    ``flipped`` is the share of answers that are others, None where answers are numbers or no text is generated; then
    the examples are the rows whose answer, or its likelihood, moved most.
    """

    name: str
    rows: int
    metric: str
    before: float
    after: float
    gain: PairedDifference
    flipped: float | None
    examples: tuple[Flip, ...]

    @property
    def said_gain(self) -> str:
        """``-0.060 (-0.090 to -0.031)``"""
        return signed(self.gain, places(self.metric, self.before))

    @property
    def said_scores(self) -> tuple[str, str]:
        """Before and after."""
        return number(self.metric, self.before), number(self.metric, self.after)


@dataclass(frozen=True)
class Robustness:
    """Every change that alters a row; each interval is one of ``confidence``, for all of them to hold together."""

    metric: str
    confidence: float
    changes: tuple[Change, ...]

    @property
    def sentence(self) -> str:
        """Which change costs most, or that none costs more than chance."""
        worse = [change for change in self.changes if change.gain.is_worse]
        name = metric_name(self.metric)
        if not worse:
            return f"No change of the texts makes {name} worse by more than chance."
        most = min(worse, key=lambda change: change.gain.value)
        before, after = most.said_scores
        others = [change.name for change in worse if change is not most]
        return (
            f"{most.name[0].upper()}{most.name[1:]} cost most: {name} {after} on {most.rows:,} changed rows and "
            f"{before} on the same rows as they were."
            + (f" It is worse by more than chance with {listed(others)} too." if others else "")
        )


def examine(given: Examination) -> Robustness | None:
    """The changes that the model was asked about; None where it was not, or where no text can be changed."""
    changed, test = given.changed, given.test
    if changed is None:
        return None
    found, start = [], 0
    every = changed_copies(test.rows, test.head)
    metric = "perplexity" if test.head.is_language_model else given.known.evaluation.metric
    confidence = 1 - (1 - given.confidence) / len(every)
    for copies in every:
        end = start + len(copies.rows)
        found.append(_change(test, copies, changed.of(range(start, end)), metric, confidence))
        start = end
    return Robustness(metric, confidence, tuple(found))


def _change(test: Evaluated, copies: Copies, answers: Predictions, metric: str, confidence: float) -> Change:
    before = test.where(copies.inside)
    after = replace(before, rows=copies.rows, predictions=answers)
    compared, changed = before.compared(metric), after.compared(metric)
    moved = moves(before, after)
    # Numbers and likelihoods always move a little: there is no share of answers that do.
    counted = test.head.problem != "regression" and not test.head.is_language_model
    return Change(
        name=copies.name,
        rows=len(copies.rows),
        metric=metric,
        before=point(metric, *compared),
        after=point(metric, *changed),
        gain=paired_difference(metric, changed, compared, confidence=confidence),
        flipped=float((moved > 0).mean()) if counted else None,
        examples=_examples(before, after, moved),
    )


def moves(before: Evaluated, after: Evaluated) -> np.ndarray:
    """How far each answer moved (rows,), 0 where it is the same.

    Classes: the probability that moved most, where the answer is another. Numbers: their difference. Spans: how many
    are in one answer alone. Texts: the likelihood lost, in nats a token.
    """
    one, other = before.predictions, after.predictions
    pairs = list(zip(one.answers, other.answers, strict=True))
    evidence = list(zip(one.evidence, other.evidence, strict=True))
    kind = before.head.kind
    if before.head.is_language_model:
        return np.array([max(0.0, _nats(new) - _nats(old)) for old, new in evidence])
    if kind == "token-classification":
        return np.array([float(len(set(map(span_of, old)) ^ set(map(span_of, new)))) for old, new in pairs])
    if kind == "question-answering":
        return np.array([float(normalised(old) != normalised(new)) for old, new in pairs])
    if before.head.problem == "regression":
        return np.array([abs(new - old) for old, new in pairs])
    probable = [float(np.abs(new - old).max()) for old, new in evidence]
    return np.array([by if old != new else 0.0 for by, (old, new) in zip(probable, pairs, strict=True)])


def _examples(before: Evaluated, after: Evaluated, moved: np.ndarray) -> tuple[Flip, ...]:
    """Those that moved most."""
    ranked = np.argsort(-moved, kind="stable")[:MOST_EXAMPLES]
    return tuple(
        Flip(*_excerpts(_text(before, row), _text(after, row)), _answer(before, row), _answer(after, row))
        for row in ranked[moved[ranked] > 0].tolist()
    )


def _text(test: Evaluated, row: int) -> str:
    """What was changed: of a question and a text the question."""
    names = ("pair",) if test.head.kind == "question-answering" else ("text", "pair")
    return " | ".join(filter(None, (test.rows[name][row].as_py() for name in names)))


def _excerpts(old: str, new: str) -> tuple[str, str]:
    """Both from a little before where they begin to differ."""
    first = next((place for place, pair in enumerate(zip(old, new, strict=False)) if len(set(pair)) > 1), 0)
    start = max(0, first - LEAD) if max(len(old), len(new)) > LONGEST_TEXT else 0
    texts = (f"…{text[start:]}" if start else text for text in (old, new))
    one, other = (shortened(text, LONGEST_TEXT) for text in texts)
    return one, other


def _answer(test: Evaluated, row: int) -> str:
    if test.head.is_language_model:
        return f"{_nats(test.predictions.evidence[row]):.2f} nats a token"
    answer = answer_text(test.predictions.answers[row], test.rows["text"][row].as_py(), test.head)
    return shortened(answer, LONGEST_ANSWER)


def _nats(losses: np.ndarray) -> float:
    return float(losses.mean()) if len(losses) else 0.0
