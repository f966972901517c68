import re
import warnings
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from luthier.evaluation.style import PALETTE
from luthier.tuning.axis import ChoiceAxis, NumberAxis, axis_of
from luthier.tuning.drawing import drawn
from luthier.tuning.page import pictures
from luthier.tuning.plots import curves_picture, history_picture
from luthier.tuning.result import StudyResult
from luthier.tuning.space import Dimension
from luthier.tuning.space_plots import parallel_picture, slices_picture
from tests.unit.tuning.made_studies import HOSTILE, RATE, lower_is_better, searched, study_of, trial_result

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_picture_of_odd_studies_is_drawn_without_a_warning_and_the_same_each_time(odd: StudyResult) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = pictures(odd, "svg")
        assert pictures(odd, "svg") == first
        for png in pictures(odd, "png").values():
            assert png.startswith(b"\x89PNG")
    colours = set(re.findall(r"#[0-9a-f]{6}", b"".join(first.values()).decode()))
    assert colours <= set(PALETTE.values())
    assert ("importances" in first) == bool(odd.importances)
    assert ("curves" in first) == any(trial.curve for trial in odd.trials)


def test_names_and_choices_are_text_and_never_markup_or_formulas() -> None:
    choice = "<b>$\\q</b>"
    space = (Dimension("method.target_modules", choices=(choice, HOSTILE)),)
    trials = [
        trial_result(n, 0.5 + n / 10, values={space[0].field: value}) for n, value in enumerate((choice, HOSTILE))
    ]
    for picture in (parallel_picture, slices_picture):
        assert choice in texts(picture(study_of(*trials, space=space)))


@pytest.mark.parametrize("turn", [lambda study: study, lower_is_better])
def test_the_best_so_far_gets_better_and_ends_at_the_best(turn) -> None:
    study = turn(searched(40))
    svg = ElementTree.fromstring(history_picture(study))
    # The longest line with steps: y grows downwards.
    lines = [element.get("d", "") for element in svg.iter(f"{SVG}path")]
    steps = max((line for line in lines if "z" not in line), key=len)
    heights = [float(y) for _, y in re.findall(r"[ML] ([\d.]+) ([\d.]+)", steps)]
    assert heights == sorted(heights, reverse=study.higher_is_better)
    assert len(set(heights)) > 2


def test_the_better_is_drawn_stronger_whichever_way_is_better() -> None:
    for study in (searched(12), lower_is_better(searched(12))):
        complete = sorted((found for found in drawn(study) if not found.pruned), key=lambda found: found.strength)
        scores = [found.score for found in complete]
        assert scores == sorted(scores, reverse=not study.higher_is_better)
        assert complete[-1].best and sum(found.best for found in complete) == 1


def test_pruned_and_unscored_trials_are_told_apart() -> None:
    study = searched(12)
    assert {"best", "complete", "pruned", "no score"} <= set(texts(history_picture(study)))
    whole = study_of(trial_result(0, 0.5), trial_result(1, 0.6))
    assert not {"pruned", "no score"} & set(texts(history_picture(whole)))
    assert "pruned" in texts(curves_picture(study))


def test_an_absent_value_passes_its_axis_below_and_only_there() -> None:
    assert texts(parallel_picture(searched(12))).count("not used") == 1
    assert "not used" not in texts(parallel_picture(searched(12, (RATE,))))


def test_numbers_lie_where_their_logarithm_does_and_ticks_apart() -> None:
    axis = NumberAxis(1e-5, 1e-1, log=True)
    assert [axis.place(value) for value in (1e-5, 1e-3, 1e-1)] == pytest.approx([0, 0.5, 1])
    assert axis.place(0) is axis.place("auto") is axis.place(True) is None
    for found in (axis, NumberAxis(3, 64, log=True, integer=True), NumberAxis(0.13, 0.97), NumberAxis(5, 5)):
        places = [place for place, _ in found.ticks]
        assert all(after - before > 0.1 for before, after in pairwise(places))
        assert found.ticks[0][1] == f"{found.low:g}" and found.ticks[-1][1] == f"{found.high:g}"


def test_choices_keep_their_order_true_is_not_one_and_a_foreign_value_gets_a_place() -> None:
    axis = axis_of(Dimension("method.x", choices=(True, 1, None, ["a", "b"])), [8, 8.0, True])
    assert isinstance(axis, ChoiceAxis)
    assert [text for _, text in axis.ticks] == ["true", "1", "null", "a, b", "8"]
    assert axis.place(1.0) == axis.place(1) != axis.place(True)
    assert axis.place("other") is None
    wide = axis_of(RATE, [0.5, None])
    assert wide.place(0.5) == 1 and wide.place(1e-5) == 0
