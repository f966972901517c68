"""Small changes of a text that leave its meaning, as people who write them make: typos, case, spaces, punctuation.

What becomes of a text follows from the text and a seed alone.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final

SEED: Final = 17
# Of the letters; of the marks; of the spaces.
TYPOS, DROPPED_MARKS, DOUBLED_SPACES = 0.05, 0.5, 0.1
KEYBOARD: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
MARKS: Final = frozenset(".,;:!?'\"()-")
ENDS: Final = (" ", "!", "...", " .")


def _neighbours() -> dict[str, str]:
    """The letters beside each letter of a QWERTY keyboard, in its row and in the rows above and below."""
    places = {letter: (row, place) for row, letters in enumerate(KEYBOARD) for place, letter in enumerate(letters)}
    return {
        letter: "".join(
            other
            for other, (row, place) in places.items()
            if other != letter and abs(row - at[0]) <= 1 and abs(place - at[1]) <= 1
        )
        for letter, at in places.items()
    }


NEIGHBOURS: Final = _neighbours()


def typos(text: str, *, in_place: bool = False) -> str:
    """One in twenty letters, one at least, hit beside, left out, doubled, or swapped with the next.

    ``in_place`` keeps every other character where it stands: letters are hit beside or swapped alone.
    """
    chance = random.Random(f"{SEED} typos {text}")
    letters = [place for place, character in enumerate(text) if character.isalpha()]
    if not letters:
        return text
    characters = list(text)
    for place in chance.sample(letters, max(1, round(TYPOS * len(letters)))):
        _mistype(characters, place, chance, in_place=in_place)
    return "".join(characters)


def _mistype(characters: list[str], place: int, chance: random.Random, *, in_place: bool) -> None:
    """Changes the entry at ``place``, which may come to hold no character or two."""
    letter = characters[place]
    following = characters[place + 1] if place + 1 < len(characters) else ""
    swappable = len(letter) == len(following) == 1 and following.isalpha() and following != letter
    kinds = [
        *(["beside"] if letter.lower() in NEIGHBOURS else []),
        *(["swap"] if swappable else []),
        *([] if in_place else ["drop", "double"]),
    ]
    if not kinds:
        return
    match chance.choice(kinds):
        case "beside":
            hit = chance.choice(NEIGHBOURS[letter.lower()])
            characters[place] = hit.upper() if letter.isupper() else hit
        case "swap":
            characters[place], characters[place + 1] = following, letter
        case "drop":
            characters[place] = ""
        case "double":
            characters[place] = letter * 2


def lower(text: str) -> str:
    """Lower case, each character in its place: one that becomes two stays as it is."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def upper(text: str) -> str:
    """Upper case, each character in its place."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def spacing(text: str) -> str:
    """Half of the punctuation marks left out, a tenth of the spaces doubled, and something put at the end."""
    chance = random.Random(f"{SEED} spacing {text}")
    found = []
    for character in text:
        if character in MARKS and chance.random() < DROPPED_MARKS:
            continue
        found.append(character * 2 if character == " " and chance.random() < DOUBLED_SPACES else character)
    return "".join(found) + chance.choice(ENDS)


NOISES: Final[Mapping[str, Callable[[str], str]]] = {
    "typos": typos,
    "lower case": lower,
    "upper case": upper,
    "spaces and punctuation": spacing,
}
"""By name, for texts whose characters nothing counts."""


def typos_in_place(text: str) -> str:
    """As ``typos``, of one length with the text."""
    return typos(text, in_place=True)


NOISES_IN_PLACE: Final[Mapping[str, Callable[[str], str]]] = {
    "typos": typos_in_place,
    "lower case": lower,
    "upper case": upper,
}
"""By name, for texts with spans."""
