"""What texts have in common word for word: with the text they were written from, and with a large collection."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A run of so many words is hardly ever said twice by chance.
LONG = 8


@dataclass(frozen=True)
class Fragments:
    """Extracts of a source in a summary: how much of the summary they are, and the mean squared length of them.

    ``coverage`` is the share of the summary's tokens in fragments, ``density`` the mean length of the fragment that a
    token of it stands in, 0 for those in none: Grusky et al. (2018), "Newsroom", arXiv 1804.11283.
    """

    coverage: float
    density: float


def fragments(source: Sequence[str], summary: Sequence[str]) -> Fragments | None:
    """The paper's greedy matching: the longest extract from each token on; None of a summary without tokens."""
    if not summary:
        return None
    starts: dict[str, list[int]] = defaultdict(list)
    for place, token in enumerate(source):
        starts[token].append(place)
    lengths, place = [], 0
    while place < len(summary):
        longest = max((_agreeing(source, start, summary, place) for start in starts[summary[place]]), default=0)
        lengths.append(longest)
        place += max(longest, 1)
    return Fragments(sum(lengths) / len(summary), sum(length**2 for length in lengths) / len(summary))


def _agreeing(source: Sequence[str], start: int, summary: Sequence[str], place: int) -> int:
    length = 0
    most = min(len(source) - start, len(summary) - place)
    while length < most and source[start + length] == summary[place + length]:
        length += 1
    return length


@dataclass(frozen=True)
class Copied:
    """How long the longest run of tokens is that a text shares with the collection, and where in the text it ends.

    ``share`` is that of the text's tokens in shared runs of ``LONG`` tokens or more.
    """

    longest: int
    end: int
    share: float


def copied(texts: Sequence[Sequence[str]], collection: Iterable[Sequence[str]]) -> list[Copied]:
    """What each of some texts shares with any of a large collection, which is read once.

    The texts make a suffix automaton (Blumer et al. 1985, "The smallest automaton recognizing the subwords of a
    text", TCS 40, 31-55), through which the collection runs: the work grows with the lengths of both, not with their
    product.
    """
    automaton = _SuffixAutomaton(texts)
    for tokens in collection:
        automaton.read(tokens)
    automaton.settle()
    return [_of_matches(automaton.matches(tokens)) for tokens in texts]


def _of_matches(matches: Sequence[int]) -> Copied:
    """From the length of the longest shared run that ends at each token."""
    longest = max(matches, default=0)
    covered, reach = 0, len(matches)
    for end in range(len(matches) - 1, -1, -1):
        if matches[end] >= LONG:
            reach = min(reach, end - matches[end] + 1)
        covered += reach <= end
        if reach > end:
            reach = len(matches)
    return Copied(longest, matches.index(longest) + 1 if longest else 0, covered / len(matches) if matches else 0.0)


class _SuffixAutomaton:
    """All runs of tokens of some texts; no run goes from one text to the next."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._link, self._length = [-1], [0]
        for tokens in texts:
            state = 0
            for token in tokens:
                state = self._extended(state, token)
        self._found = [0] * len(self._next)

    def read(self, tokens: Iterable[str]) -> None:
        """Remembers for each state the longest run that ends in it."""
        state = length = 0
        for token in tokens:
            while state and token not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if token in self._next[state]:
                state, length = self._next[state][token], length + 1
            if length > self._found[state]:
                self._found[state] = length

    def settle(self) -> None:
        """A run that was found has all its ends found."""
        for state in sorted(range(1, len(self._next)), key=self._length.__getitem__, reverse=True):
            if self._found[state] and self._link[state] > 0:
                self._found[self._link[state]] = self._length[self._link[state]]

    def matches(self, tokens: Sequence[str]) -> list[int]:
        """The length of the longest run found that ends at each token of one of the texts."""
        state, lengths = 0, []
        for place, token in enumerate(tokens):
            state = self._next[state][token]
            at = state
            while at > 0 and not self._found[at]:
                at = self._link[at]
            lengths.append(min(self._found[at], place + 1) if at > 0 else 0)
        return lengths

    def _extended(self, last: int, token: str) -> int:
        """The state of a run one token longer, made where there is none."""
        if token in self._next[last]:
            known = self._next[last][token]
            if self._length[known] == self._length[last] + 1:
                return known
            return self._split(last, token, known)
        made = self._state(self._length[last] + 1, {}, 0)
        state = last
        while state >= 0 and token not in self._next[state]:
            self._next[state][token] = made
            state = self._link[state]
        if state >= 0:
            known = self._next[state][token]
            fits = self._length[known] == self._length[state] + 1
            self._link[made] = known if fits else self._split(state, token, known)
        return made

    def _split(self, state: int, token: str, known: int) -> int:
        """Parts the shorter runs of ``known`` from its longer ones."""
        clone = self._state(self._length[state] + 1, dict(self._next[known]), self._link[known])
        self._link[known] = clone
        while state >= 0 and self._next[state].get(token) == known:
            self._next[state][token] = clone
            state = self._link[state]
        return clone

    def _state(self, length: int, following: dict[str, int], link: int) -> int:
        self._next.append(following)
        self._length.append(length)
        self._link.append(link)
        return len(self._next) - 1
