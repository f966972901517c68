"""Rows that say the same: which stay, which leave and why, and which must stay in one split.

Where the split of rows is known beforehand (by time, by hash, as given), those of the last split stay, else and among
these the first in the source: so a row leaves train, never test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from luthier.data.answers import answers_in_prompts
from luthier.data.clean_table import CleanTable
from luthier.data.content import same
from luthier.data.near_duplicates import Pairs, across, components, dropped_because, kept_apart, similar_pairs
from luthier.data.splitting import SPLITS
from luthier.data.text import normalised
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import Duplicates

CONFLICTING = "conflicting labels"
DUPLICATE = "duplicate"
NEAR_DUPLICATE = "near-duplicate"
REPEATED_ID = "repeated id"
SPLIT_GROUP = "group in two splits"
ANSWER_GIVEN_AWAY = "answer of another split"


@dataclass(frozen=True)
class Conflict:
    """Rows of one text that have several labels."""

    rows: np.ndarray
    labels: list[str]


class Deduplication:
    """``keep`` says which rows stay, ``why`` has kind and reason of each other; ``pairs`` are rows nearly the same.

    All arrays have a value a row, in the order of the source. ``known`` are splits as in SPLITS; ``protected`` rows
    always stay.
    """

    def __init__(
        self,
        rows: CleanTable,
        settings: "Duplicates",
        *,
        known: np.ndarray | None = None,
        protected: np.ndarray | None = None,
    ) -> None:
        self.rows, self.settings = rows, settings
        self.split = np.zeros(len(rows), dtype=np.int64) if known is None else known
        self.protected = np.zeros(len(rows), dtype=bool) if protected is None else protected
        self.keep = np.ones(len(rows), dtype=bool)
        self.why: dict[int, tuple[str, str]] = {}
        self.same, self.group = same(rows.content), rows.codes("group")
        self._label = rows.codes("label_key")
        self._lines, self._files = rows.column("line"), rows.table["file"]
        self._one_file = len(self._files.unique()) < 2
        self._drop_repeated_ids()
        self.conflicts = list(self._conflicts())
        self._settle_conflicts()
        self._settle_duplicates()
        self.pairs = self._near_pairs()
        self._settle_near_duplicates()
        self._separate(self.group, SPLIT_GROUP)

    def drop_near(self, splits: np.ndarray, order: np.ndarray) -> None:
        """Rows leave that are nearly the same as a row of a later split, until a search between splits finds none.

        Rows may stay together, be protected, or be one of a crowd made from one template, of which the search among
        all rows does not list every pair. In ``order`` rows will be written, and searched for leaks.
        """
        while True:
            here = order[self.keep[order] & (splits[order] >= 0)]
            here = here[np.argsort(splits[here], kind="stable")]
            keys, wanted = self.rows.table["key"].take(here), across(splits[here], self.same[here])
            found = similar_pairs(self.rows.bands[here], keys, self.settings.threshold, wanted=wanted)
            if not len(found):
                return
            earlier, later = here[found.a], here[found.b]
            for split in reversed(range(len(SPLITS) - 1)):
                going = (splits[earlier] == split) & self.keep[later]
                self._drop_texts(earlier[going], later[going], found.similarity[going])

    def drop_answers(self, splits: np.ndarray) -> None:
        """Rows leave whose prompt holds the answer to a row of a later split."""
        if self.rows.label_kind != "text":
            return
        prompts, answers = self.rows.table["key"], self.rows.table["label"]
        for number, name in enumerate(SPLITS[:-1]):
            here = np.flatnonzero(self.keep & (splits == number))
            later = np.flatnonzero(self.keep & (splits > number))
            asked = [normalised(text) for text in answers.take(later).to_pylist()]
            for prompt, answer in answers_in_prompts(prompts.take(here).to_pylist(), asked):
                place, other = self._place(later[answer]), SPLITS[splits[later[answer]]]
                self._drop(here[prompt], ANSWER_GIVEN_AWAY, f"{name} prompt with the answer of {place} in {other}")

    def units(self) -> np.ndarray:
        """A number for every row; rows with the same number must stay in one split."""
        links = [self._links(self.same), self._links(self.group)]
        if self.settings.near == "together":
            links.append((self.pairs.a, self.pairs.b))
        return components(len(self.keep), *links)

    def _drop_repeated_ids(self) -> None:
        ids = self.rows.codes("id")
        if self.protected.any():
            # Files that are given as splits number their rows each for itself.
            ids = np.where(ids < 0, ids, ids * len(SPLITS) + self.split)
        first = self._first(ids)
        for row in np.flatnonzero((ids >= 0) & (first != np.arange(len(ids)))):
            self._drop(row, REPEATED_ID, f"the id of {self._place(first[row])}")

    def _conflicts(self) -> Iterator[Conflict]:
        """Texts to be generated may well differ for one prompt, and answers for one question; a label may not."""
        if self.rows.label_kind in ("text", "answers"):
            return
        alive = np.flatnonzero(self.keep)
        alive = alive[np.lexsort((alive, self.same[alive]))]
        starts = np.flatnonzero(np.diff(self.same[alive], prepend=-1))
        ends = np.append(starts[1:], len(alive))
        labels = self._label[alive]
        differ = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts) if len(alive) else starts
        for start, end in zip(starts[differ], ends[differ], strict=True):
            members = alive[start:end]
            first = members[np.unique(self._label[members], return_index=True)[1]]
            yield Conflict(members, sorted(str(self.rows.table["label_key"][int(row)]) for row in first))

    def _settle_conflicts(self) -> None:
        if self.conflicts and self.settings.conflicts == "refuse":
            raise DataError(
                f"{len(self.conflicts)} texts have several labels",
                where=self._place(self.conflicts[0].rows[0]),
                received=self.conflicts[0].labels,
                remedy="mend the labels, or set data.duplicates.conflicts to drop, majority or keep",
            )
        for conflict in self.conflicts if self.settings.conflicts in ("drop", "majority") else []:
            labels, counts = np.unique(self._label[conflict.rows], return_counts=True)
            leading = labels[counts == counts.max()]
            wins = self.settings.conflicts == "majority" and len(leading) == 1
            for row in conflict.rows:
                if not wins or self._label[row] != leading[0]:
                    self._drop(row, CONFLICTING, f"{CONFLICTING}: {', '.join(conflict.labels[:5])}")

    def _settle_duplicates(self) -> None:
        if self.settings.exact == "drop":
            said = self.same
            if self.rows.label_kind == "text":
                said = np.unique(np.stack([self.same, self._label], axis=1), axis=0, return_inverse=True)[1].ravel()
            first = self._first(said)
            for row in np.flatnonzero(self.keep & (first != np.arange(len(first)))):
                self._drop(row, DUPLICATE, f"duplicate of {self._place(first[row])}")
        self._separate(self.same, DUPLICATE)

    def _near_pairs(self) -> Pairs:
        """Near-duplicates among the first row of every text that is still there."""
        unique = np.flatnonzero(self.keep & (self._first(self.same) == np.arange(len(self.keep))))
        keys, bands = self.rows.table["key"].take(unique), self.rows.bands[unique]
        order = np.argsort(-self.split[unique], kind="stable")
        found = similar_pairs(bands, keys, self.settings.threshold, order=order)
        return replace(found, a=unique[found.a], b=unique[found.b], nearest=None)

    def _settle_near_duplicates(self) -> None:
        if self.settings.near == "together":
            return
        pairs = self.pairs
        free = ~(self.protected[pairs.a] & self.protected[pairs.b])
        pairs = replace(pairs, a=pairs.a[free], b=pairs.b[free], similarity=pairs.similarity[free])
        dropped = dropped_because(pairs, kept_apart(pairs, np.argsort(-self.split, kind="stable")))
        self._drop_texts(dropped.row, dropped.near_to, dropped.similarity)

    def _drop_texts(self, rows: np.ndarray, near: np.ndarray, similarity: np.ndarray) -> None:
        """Lets every row go whose text is that of one of ``rows``, each of which is nearly that of ``near``."""
        place = np.full(len(self.keep), -1)
        place[self.same[rows]] = np.arange(len(rows))
        for row in np.flatnonzero(self.keep & (place[self.same] >= 0)):
            found = place[self.same[row]]
            reason = f"near-duplicate of {self._place(near[found])} (similarity {similarity[found]:.2f})"
            self._drop(row, NEAR_DUPLICATE, reason)

    def _separate(self, ids: np.ndarray, kind: str) -> None:
        """Rows leave whose id a row of a later split has."""
        first = self._first(ids)
        for row in np.flatnonzero(self.keep & (ids >= 0) & (self.split[first] > self.split)):
            self._drop(row, kind, f"{kind}: {self._place(first[row])} is in {SPLITS[self.split[first[row]]]}")

    def _first(self, ids: np.ndarray) -> np.ndarray:
        """For every row the first in the last split of those with its id that are still there; else the row itself."""
        rows = np.arange(len(ids))
        alive = np.flatnonzero(self.keep & (ids >= 0))
        order = alive[np.lexsort((alive, -self.split[alive]))][::-1]
        by_id = np.full(ids.max(initial=0) + 1, -1)
        by_id[ids[order]] = order
        return np.where(self.keep & (ids >= 0), by_id[ids], rows)

    def _links(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(ids)), self._first(ids)

    def _drop(self, row: int | np.integer, kind: str, reason: str) -> None:
        if self.keep[row] and not self.protected[row]:
            self.keep[row] = False
            self.why[int(row)] = (kind, reason)

    def _place(self, row: int | np.integer) -> str:
        line = f"line {self._lines[row]}"
        return line if self._one_file else f"{line} of {self._files[int(row)]}"
