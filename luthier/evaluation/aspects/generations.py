"""Texts that a model wrote: how long they are, how they end, how much they repeat, and what they copy."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from luthier.data.overlap import said_before
from luthier.evaluation.copying import LONG, Copied, copied, fragments
from luthier.evaluation.evaluated import TUNED, Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.generation_pictures import lengths_picture
from luthier.evaluation.metrics.statistic import mean, of_sums, ratio
from luthier.evaluation.repetition import distinct, length_quantiles, repeated_share
from luthier.evaluation.scores import Score, score_of
from luthier.evaluation.style import Form
from luthier.evaluation.wordwise import tokens, written
from luthier.tasks.task import UNTUNED

WANTED: Final = "wanted"
# Of the training answers so many tokens are read, in a random order: some seconds.
TOKENS_READ = 4_000_000
# Of a text that is summarized no more is looked through.
SOURCE_TOKENS = 5_000
# Copies that are shown, and of each so many tokens.
SHOWN, SHOWN_TOKENS = 5, 60
# Texts are nearly the same from this similarity of their sets of characters on.
NEAR = 0.8


@dataclass(frozen=True)
class Texts:
    """The texts of one author for the same rows; lengths and runs are in words and marks.

    ``cut`` is the share that the limit of new tokens ended. ``repetition`` is the mean share of 4-grams that a text
    has had before, ``distinct`` the share of different words, and of pairs of them, in all texts. ``copying`` is the
    share of texts with a run of ``LONG`` words of a training answer, ``copied`` the mean share of a text in such runs,
    ``longest`` the longest run, ``near`` the share of texts that nearly are a training answer. ``coverage`` and
    ``density`` say how much of a summary are extracts of its text.
    """

    lengths: tuple[int, ...]
    quantiles: tuple[float, float, float, float, float]
    empty: int
    different: int
    cut: Score | None
    repetition: Score | None
    distinct: tuple[float | None, float | None]
    copying: Score
    copied: Score
    longest: int
    near: Score
    coverage: Score | None
    density: Score | None


@dataclass(frozen=True)
class Copy:
    """A run of words that a generated text shares with a training answer."""

    words: int
    text: str


@dataclass(frozen=True)
class Generations:
    """The texts by author; those wanted come first, then the model's.

    ``length_ratio`` is that of all generated words to all wanted ones. ``searched`` of ``training`` answers were
    looked through for copies, of which the longest are here.
    """

    authors: dict[str, Texts]
    length_ratio: Score
    copies: tuple[Copy, ...]
    searched: int
    training: int


def examine(given: Examination) -> Generations | None:
    """The texts of a language model; None for other tasks, and where none was generated."""
    rows = [row for row, answer in enumerate(given.test.predictions.answers) if answer is not None]
    if not given.test.head.is_language_model or not rows:
        return None
    texts = _by_author(given.test, rows)
    read = {author: [tokens(text) for text in of] for author, of in texts.items()}
    training = [answer for answer in given.known.train["label"].to_pylist() if answer]
    answers, learned = _some(training)
    runs = _runs(read, learned)
    sources = _sources(given.test, rows)
    cut = {TUNED: given.test.predictions.cut, UNTUNED: given.test.baselines[UNTUNED].cut if UNTUNED in texts else ()}
    authors = {
        author: _described(
            of, read[author], runs[author], sources, answers, list(cut.get(author, ())), given.confidence
        )
        for author, of in texts.items()
    }
    return Generations(
        authors=authors,
        length_ratio=_length_ratio(authors, given.confidence),
        copies=_copies(texts[TUNED], runs[TUNED]),
        searched=len(answers),
        training=len(training),
    )


def pictures(found: Generations) -> Mapping[str, Callable[[Form], bytes]]:
    """How long texts are beside those that were wanted."""
    lengths = {author: texts.lengths for author, texts in found.authors.items()}
    return {"lengths": lambda form: lengths_picture(lengths[WANTED], lengths[TUNED], form)}


def _by_author(test: Evaluated, rows: Sequence[int]) -> dict[str, list[str]]:
    wanted, answers = test.rows["label"].to_pylist(), test.predictions.answers
    found = {WANTED: [wanted[row] or "" for row in rows], TUNED: [answers[row] for row in rows]}
    if UNTUNED in test.baselines:
        base = test.baselines[UNTUNED].answers
        found[UNTUNED] = [base[row] or "" for row in rows]
    return found


def _some(answers: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Answers in a random order, as texts and as tokens, until ``TOKENS_READ`` are read."""
    found: tuple[list[str], list[list[str]]] = ([], [])
    read = 0
    for place in np.random.default_rng(17).permutation(len(answers)):
        if read >= TOKENS_READ:
            break
        found[0].append(answers[place])
        found[1].append(tokens(answers[place]))
        read += len(found[1][-1])
    return found


def _runs(read: Mapping[str, list[list[str]]], learned: Sequence[Sequence[str]]) -> dict[str, list[Copied]]:
    together = iter(copied([text for of in read.values() for text in of], learned))
    return {author: [next(together) for _ in of] for author, of in read.items()}


def _sources(test: Evaluated, rows: Sequence[int]) -> list[list[str]] | None:
    if test.task.name != "summarization":
        return None
    return [tokens(test.rows["text"][row].as_py())[:SOURCE_TOKENS] for row in rows]


def _described(
    texts: Sequence[str],
    read: Sequence[Sequence[str]],
    runs: Sequence[Copied],
    sources: Sequence[Sequence[str]] | None,
    answers: Sequence[str],
    cut: Sequence[bool],
    confidence: float,
) -> Texts:
    def averaged(rows: Sequence[float | None], most: float = 1.0) -> Score | None:
        known = [row for row in rows if row is not None]
        return score_of(mean(known), confidence, bounds=(0.0, most)) if known else None

    def share(rows: Sequence[bool]) -> Score:
        return score_of(mean(rows, proportion=True), confidence)

    lengths = [len(text) for text in read]
    extracts = [] if sources is None else [fragments(*pair) for pair in zip(sources, read, strict=True)]
    return Texts(
        lengths=tuple(lengths),
        quantiles=length_quantiles(lengths),
        empty=sum(not text.strip() for text in texts),
        different=len(set(texts)),
        cut=share(cut) if cut else None,
        repetition=averaged([repeated_share(text) for text in read]),
        distinct=(distinct(read, 1), distinct(read, 2)),
        copying=share([run.longest >= LONG for run in runs]),
        copied=score_of(mean([run.share for run in runs]), confidence, bounds=(0.0, 1.0)),
        longest=max(run.longest for run in runs),
        near=share(_near(texts, answers)),
        coverage=averaged([found.coverage if found else None for found in extracts]),
        density=averaged([found.density if found else None for found in extracts], math.inf),
    )


def _near(texts: Sequence[str], answers: Sequence[str]) -> list[bool]:
    """Which texts nearly are one of ``answers``; an empty one is none."""
    said = [row for row, text in enumerate(texts) if text.strip()]
    found = [False] * len(texts)
    if not said or not answers:
        return found
    tables = [
        pa.table({"text": pa.array(of, pa.string()), "pair": pa.nulls(len(of), pa.string())})
        for of in ([texts[row] for row in said], answers)
    ]
    for row, near in zip(said, said_before(tables[0], [tables[1]], NEAR), strict=True):
        found[row] = bool(near)
    return found


def _length_ratio(authors: Mapping[str, Texts], confidence: float) -> Score:
    sums = np.array([authors[TUNED].lengths, authors[WANTED].lengths], dtype=float).T
    return score_of(of_sums(lambda s: ratio(s[..., 0], s[..., 1]), sums), confidence)


def _copies(texts: Sequence[str], runs: Sequence[Copied]) -> tuple[Copy, ...]:
    """The longest runs, each once."""
    found: dict[str, Copy] = {}
    for row in sorted(range(len(runs)), key=lambda row: -runs[row].longest):
        run = runs[row]
        if run.longest < LONG or len(found) == SHOWN:
            break
        first = run.end - run.longest
        text = written(texts[row], first, min(run.end, first + SHOWN_TOKENS))
        found.setdefault(text, Copy(run.longest, text + (" …" if run.longest > SHOWN_TOKENS else "")))
    return tuple(found.values())
