import random
from collections.abc import Callable
from itertools import combinations
from xml.etree import ElementTree

import pytest

from luthier.comparison.comparison import MethodComparison
from luthier.comparison.label_places import Box, Label, placed
from luthier.comparison.page import memory_picture, parameters_picture
from luthier.comparison.plots import Point, score_against
from luthier.evaluation.scores import Score

WITHIN = Box(0, 0, 560, 220)
WIDTH, HEIGHT = 52.0, 11.0


def labels(dots: list[tuple[float, float]]) -> list[Label]:
    return [
        Label(x, y, WIDTH, HEIGHT, (Box(x - 5, y - 5, x + 5, y + 5), Box(x - 2, y - 18, x + 2, y + 18)))
        for x, y in dots
    ]


@pytest.mark.parametrize("seed", range(20))
def test_labels_cover_no_label_and_no_dot_and_stay_inside(seed: int) -> None:
    generator = random.Random(seed)
    # Nine dots in a quarter of the picture: crowded as methods of one size are.
    given = labels([(generator.uniform(150, 330), generator.uniform(60, 160)) for _ in range(9)])
    boxes = [place.box(label) for label, place in zip(given, placed(given, WITHIN), strict=True)]
    assert sum(one.shared(other) > 0 for one, other in combinations(boxes, 2)) == 0
    assert sum(box.shared(label.drawn[0]) > 0 for box in boxes for label in given) == 0
    assert all(box.shared(WITHIN) == pytest.approx((box.right - box.left) * (box.top - box.bottom)) for box in boxes)


def test_a_lone_label_stands_right_of_its_dot_and_at_the_edge_left_of_it() -> None:
    (alone,), (edge,) = (placed(labels([dot]), WITHIN) for dot in ((100.0, 100.0), (550.0, 100.0)))
    assert (alone.align, edge.align) == ("left", "right")
    assert not alone.far


@pytest.mark.parametrize("picture", [parameters_picture, memory_picture])
def test_pictures_name_every_method_once_and_depend_on_the_values_alone(
    nine: Callable[..., MethodComparison], picture: Callable[..., bytes]
) -> None:
    svg = picture(nine())
    texts = [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    for found in nine().methods:
        assert texts.count(found.kind) == 1
    assert svg == picture(nine())
    assert picture(nine(), "png").startswith(b"\x89PNG")


def test_one_point_without_room_between_its_bounds_is_drawn() -> None:
    point = Point("<b>$x$", 5.0, Score(1.0, 1.0, 1.0), (1.0,))
    for log in (True, False):
        assert b"&lt;b&gt;$x$" in score_against([point], cost="trained parameters", metric="accuracy", log=log)
