"""Where the labels of a picture stand so that none covers another; all numbers in points, y upwards."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

# From a dot to its label: distances, the nearest first, and directions in degrees, the best first.
DISTANCES: Final = (8, 15, 24, 36, 50, 66)
DIRECTIONS: Final = (0, 180, 35, -35, 145, -145, 70, -70, 110, -110)
# From here on a line leads from the dot to its label.
FAR: Final = 15
GAP: Final = 1.5
SPOTS: Final = 10
# A line across something, or a label outside, is worse than any two labels over each other.
CROSSED: Final = 1000.0


class Box(NamedTuple):
    """A rectangle."""

    left: float
    bottom: float
    right: float
    top: float

    def shared(self, other: "Box") -> float:
        """The area of what both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class Label:
    """A text of some size, of the dot at ``x``, ``y``; ``drawn`` is what the dot and its whiskers cover."""

    x: float
    y: float
    width: float
    height: float
    drawn: tuple[Box, ...]


@dataclass(frozen=True)
class Place:
    """Where a label stands, from its dot, and which of its sides is there; it is centred in height."""

    dx: float
    dy: float
    align: str

    @property
    def far(self) -> bool:
        return math.hypot(self.dx, self.dy) > FAR - 0.5

    def box(self, label: Label) -> Box:
        """What the label covers there."""
        share = {"left": 0.0, "center": 0.5, "right": 1.0}[self.align]
        left, middle = label.x + self.dx - share * label.width, label.y + self.dy
        return Box(left - GAP, middle - label.height / 2, left + label.width + GAP, middle + label.height / 2)

    def line(self, label: Label) -> list[Box]:
        """What the line from the dot to a far label covers, bit by bit."""
        shares = [step / SPOTS for step in range(2, SPOTS)] if self.far else []
        spots = [(label.x + share * self.dx, label.y + share * self.dy) for share in shares]
        return [Box(x - 1, y - 1, x + 1, y + 1) for x, y in spots]


def placed(labels: Sequence[Label], within: Box) -> list[Place]:
    """For each label, in this order, the nearest place where it covers nothing."""
    taken = [box for label in labels for box in label.drawn]
    places = []
    for label in labels:
        others = [box for box in taken if box not in label.drawn]
        # Of equals the first, which is the nearest.
        place = min(_places(), key=lambda place: _cost(place, label, taken, others, within))
        taken += [place.box(label), *place.line(label)]
        places.append(place)
    return places


def _places() -> Iterator[Place]:
    for distance in DISTANCES:
        for degrees in DIRECTIONS:
            dx, dy = distance * math.cos(math.radians(degrees)), distance * math.sin(math.radians(degrees))
            yield Place(dx, dy, "center" if abs(dx) < distance / 2 else "left" if dx > 0 else "right")


def _cost(place: Place, label: Label, taken: Sequence[Box], others: Sequence[Box], within: Box) -> float:
    box = place.box(label)
    covered = sum(map(box.shared, taken))
    outside = (box.right - box.left) * (box.top - box.bottom) - box.shared(within)
    crossed = sum(spot.shared(other) > 0 for other in others for spot in place.line(label))
    return covered + CROSSED * (crossed + (outside > 0))
