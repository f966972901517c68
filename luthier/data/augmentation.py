"""New training rows: words of a text swapped, deleted, repeated or replaced (Wei and Zou 2019, arXiv 1901.11196)."""

import random
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.data.text import clean_text, key_of
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import Augmentation

FillMasks = Callable[[Sequence[str], Sequence[Sequence[int]]], list[str]]
"""Texts, and for each the indices of the words to replace; the new texts."""

ATTEMPTS = 6
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class NewRow:
    """A row made from the row ``parent``."""

    parent: int
    kind: str
    text: str


@dataclass(frozen=True)
class _Wanted:
    """A copy to be made; its kinds are tried in turn."""

    parent: int
    text: str
    pair: str | None
    copy: int
    kinds: Sequence[str]


def augment(
    texts: Sequence[str],
    rows: Sequence[int],
    settings: "Augmentation",
    *,
    pairs: Sequence[str | None],
    seed: int,
    forbidden: Container[str],
    fill_masks: FillMasks | None,
) -> Iterator[NewRow]:
    """New rows for clean training texts; ``rows`` are the texts' ids, ``forbidden`` the keys of held-out rows.

    Of a pair only the text changes. No new row says the same, after normalisation, as a training row, another new row
    or a forbidden one: a copy for which no other text is found is left out. What is made of a text does not depend on
    the order of the texts.
    Raises DataError when kind mask has no ``fill_masks``.
    """
    if "mask" in settings.kinds and fill_masks is None:
        raise DataError(
            "kind mask needs a masked language model",
            where="data.augmentation.kinds",
            remedy="name data.augmentation.model or leave mask out",
        )
    seen = set(map(key_of, texts, pairs))
    order = sorted(range(len(texts)), key=lambda index: (texts[index], rows[index]))
    for start in range(0, len(order), ROWS_AT_ONCE):
        wanted = [
            _Wanted(rows[index], texts[index], pairs[index], copy, kinds)
            for index in order[start : start + ROWS_AT_ONCE]
            if (kinds := _possible(texts[index], settings.kinds))
            for copy in range(settings.copies)
        ]
        for attempt in range(ATTEMPTS):
            drafts = _drafts(wanted, attempt, settings.share, seed, fill_masks)
            left: list[_Wanted] = []
            for one, draft in zip(wanted, drafts, strict=True):
                key = key_of(draft.text, one.pair)
                if clean_text(draft.text) and key not in seen and key not in forbidden:
                    seen.add(key)
                    yield draft
                else:
                    left.append(one)
            wanted = left


def _possible(text: str, kinds: Sequence[str]) -> list[str]:
    several = " " in text
    return [kind for kind in kinds if several or kind not in ("swap", "delete")]


def _drafts(
    wanted: Sequence[_Wanted], attempt: int, share: float, seed: int, fill_masks: FillMasks | None
) -> list[NewRow]:
    """One new row for each that is wanted; the masks of all are filled together."""
    drafts: list[NewRow] = []
    masked: dict[int, list[int]] = {}
    for one in wanted:
        turn = zlib.crc32(one.text.encode()) + one.copy + attempt
        kind = one.kinds[turn % len(one.kinds)]
        chance = random.Random(f"{seed} {one.copy} {attempt} {one.text}")
        words = one.text.split()
        changed = max(1, round(share * len(words)))
        if kind == "mask":
            masked[len(drafts)] = sorted(chance.sample(range(len(words)), changed))
        else:
            words = EDITS[kind](words, changed, chance)
        drafts.append(NewRow(one.parent, kind, " ".join(words)))
    if masked and fill_masks:
        filled = fill_masks([drafts[index].text for index in masked], list(masked.values()))
        for index, text in zip(masked, filled, strict=True):
            drafts[index] = NewRow(drafts[index].parent, "mask", text)
    return drafts


def _swap(words: list[str], changed: int, chance: random.Random) -> list[str]:
    places = chance.sample(range(len(words)), 2 * max(1, changed // 2))
    swapped = list(words)
    for one, other in zip(places[::2], places[1::2], strict=True):
        swapped[one], swapped[other] = words[other], words[one]
    return swapped


def _delete(words: list[str], changed: int, chance: random.Random) -> list[str]:
    gone = set(chance.sample(range(len(words)), changed))
    return [word for place, word in enumerate(words) if place not in gone]


def _insert(words: list[str], changed: int, chance: random.Random) -> list[str]:
    longer = list(words)
    for word in chance.choices(words, k=changed):
        longer.insert(chance.randrange(len(longer) + 1), word)
    return longer


EDITS = {"swap": _swap, "delete": _delete, "insert": _insert}
