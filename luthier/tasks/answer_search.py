"""The best answer of a context, from the logits that its windows have for starts and ends of answers.

Devlin et al. 2019, arXiv 1810.04805: an answer scores the sum of its logits, no answer that of the first token.
Instead of the n best starts with the n best ends, every span of at most ``MOST_TOKENS`` tokens is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.tasks.windows import Place

if TYPE_CHECKING:
    import numpy as np

# SQuAD's answers have 30 at most; those of documentation are whole sentences.
MOST_TOKENS = 128
# The logit of positions that no answer may start or end at.
NEVER = -1e9
# Windows that show the same words of a repetitive text differ by rounding alone: the first of them answers.
TIED = 1e-3


@dataclass(frozen=True)
class Passage:
    """A text, the position of its first token in a window, and the characters of it that each token stands for."""

    text: str
    first: int
    offsets: Sequence[Place]


@dataclass(frozen=True)
class Candidate:
    """The best answer of one window and its place in the passage, its start and end logits, and those of no answer.

    ``masses`` are log-sum-exp of the start and of the end logits that were in question.
    """

    text: str
    place: Place
    start: float
    end: float
    null: float
    masses: tuple[float, float]

    @property
    def score(self) -> float:
        """What decides between candidates."""
        return self.start + self.end


@dataclass(frozen=True)
class Found:
    """An answer, empty where there is none, and its evidence.

    That is float32 [start and end probability, best and null score, first character and the first after it]; both
    characters are 0 where there is none. Texts of up to 16 million characters have places that float32 holds.
    """

    text: str
    evidence: "np.ndarray"


def candidates(starts: "np.ndarray", ends: "np.ndarray", passages: Sequence[Passage]) -> list[Candidate]:
    """The best span of each window; logits are (windows, tokens)."""
    import numpy as np

    starts, ends = starts.astype(np.float32), ends.astype(np.float32)
    null = starts[:, 0] + ends[:, 0]
    shown = _shown(passages, starts.shape[1])
    inside = [np.where(shown, logits, NEVER) for logits in (starts, ends)]
    first, last = _best_spans(*inside)
    masses = [
        np.logaddexp(logits[:, 0], np.logaddexp.reduce(within, axis=1))
        for logits, within in zip((starts, ends), inside, strict=True)
    ]
    found = []
    for window, passage in enumerate(passages):
        span = passage.offsets[first[window] - passage.first : last[window] - passage.first + 1]
        place = _without_space(passage.text, span[0][0], span[-1][1]) if span else (0, 0)
        found.append(
            Candidate(
                text=passage.text[slice(*place)],
                place=place,
                start=float(inside[0][window, first[window]]),
                end=float(inside[1][window, last[window]]),
                null=float(null[window]),
                masses=(float(masses[0][window]), float(masses[1][window])),
            )
        )
    return found


def decided(windows: Sequence[Candidate]) -> Found:
    """The answer of all windows of a text: none where even the window that is least sure of none prefers it."""
    import numpy as np

    best = max(windows, key=lambda candidate: candidate.score)
    null = min(candidate.null for candidate in windows)
    starts, ends = (np.logaddexp.reduce([c.masses[side] for c in windows]) for side in (0, 1))
    answered = null <= best.score
    place = min(c.place for c in windows if c.text == best.text and c.score > best.score - TIED) if answered else (0, 0)
    numbers = [np.exp(best.start - starts), np.exp(best.end - ends), best.score, null, *place]
    return Found(best.text if answered else "", np.array(numbers, dtype=np.float32))


def _without_space(text: str, start: int, end: int) -> Place:
    """The place without white space at its ends; (0, 0) where nothing else is there."""
    shown = text[start:end]
    inner = shown.strip()
    first = start + len(shown) - len(shown.lstrip())
    return (first, first + len(inner)) if inner else (0, 0)


def _shown(passages: Sequence[Passage], tokens: int) -> "np.ndarray":
    """Whether each position is one of the text's (windows, tokens)."""
    import numpy as np

    positions = np.arange(tokens)
    first = np.array([[passage.first] for passage in passages])
    count = np.array([[len(passage.offsets)] for passage in passages])
    return (first <= positions) & (positions < first + count)


def _best_spans(starts: "np.ndarray", ends: "np.ndarray") -> tuple["np.ndarray", "np.ndarray"]:
    """First and last token of the best span of each window, by its length: all spans of a length at once."""
    import numpy as np

    windows, tokens = starts.shape
    best = np.full(windows, -np.inf)
    first, last = np.zeros(windows, dtype=int), np.zeros(windows, dtype=int)
    for length in range(min(MOST_TOKENS, tokens)):
        scores = starts[:, : tokens - length] + ends[:, length:]
        at = scores.argmax(axis=1)
        value = scores[np.arange(windows), at]
        better = value > best
        best[better], first[better], last[better] = value[better], at[better], at[better] + length
    return first, last
