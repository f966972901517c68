import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from luthier.errors import LuthierError
from luthier.tuning.report import read_study, write_study
from luthier.tuning.result import StudyResult
from luthier.tuning.space import Dimension
from luthier.tuning.terminal import print_study
from tests.html_page import Page
from tests.unit.tuning.made_studies import HOSTILE, ODD, searched, study_of, trial_result

REVISIONS = ("the best rate lay at the edge: up to 0.03",)


def test_a_study_is_read_as_it_was_written(odd: StudyResult, tmp_path: Path) -> None:
    write_study(odd, tmp_path)
    assert read_study(tmp_path) == odd
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["best"]["values"] == odd.best.values
    made = {path.name for path in tmp_path.iterdir()}
    assert {"study.json", "study.html", "facts.json", "history.png", "parallel.png", "slices.png"} <= made


@pytest.mark.parametrize("value", [math.nan, math.inf, ("query", "value"), {1, 2}])
def test_what_json_does_not_hold_is_refused(value: object, tmp_path: Path) -> None:
    study = study_of(trial_result(0, 0.5, values={"training.learning_rate": value}))
    with pytest.raises(LuthierError, match="reviews-1-abcdef"):
        write_study(study, tmp_path)
    with pytest.raises(LuthierError, match="JSON does not hold"):
        write_study(study_of(trial_result(0, 0.5), trial_result(1, math.nan)), tmp_path)


def written(study: StudyResult, folder: Path) -> Page:
    write_study(study, folder)
    return Page((folder / "study.html").read_text())


def test_the_page_answers_top_down(tmp_path: Path) -> None:
    text = " ".join(written(searched(12, round=2, revisions=REVISIONS), tmp_path).text.split())
    order = [
        "Best validation accuracy 0.859 in trial 11 of 12.",
        "The recipe's own values had 0.776.",
        "8 complete, 3 pruned, 1 failed",
        "The test split was not read",
        "another space than the round before",
        REVISIONS[0],
        "training.learning_rate 1e-05 to 0.01, log 2.53e-05 0.00326 43 %",
        "0 to 0.2, where target_modules is all-linear",
        "How the study went",
        "All trials",
        "0 the recipe complete 0.776",
        "3 the sampler pruned 0.703 20 of 120 20 8 s",
        "5 the sampler failed – 3 of 120",
        "it ran out of memory; remedy: a smaller batch",
        "reviews-1-abcdef",
        "successive_halving",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_hostile_names_stay_text_and_nothing_is_loaded(tmp_path: Path) -> None:
    space = (Dimension(f"method.{HOSTILE}", choices=(HOSTILE, "b"), when={HOSTILE: (HOSTILE,)}),)
    values = {space[0].field: HOSTILE}
    trials = [
        trial_result(0, 0.5, values=values, origin="the recipe", diagnosis=HOSTILE),
        trial_result(1, None, values=values, failure=HOSTILE),
        trial_result(2, 0.6, values=values, origin=HOSTILE),
    ]
    named = {"recipe": HOSTILE, "study": HOSTILE, "ended": HOSTILE, "revisions": (HOSTILE,)}
    page = written(study_of(*trials, space=space, importances={space[0].field: 1.0}, **named), tmp_path)
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "a", "base", "link"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert "{{ 7 * 7 }}" in page.text and not re.findall(r"\]\]> --> \d", page.text)
    # Title, recipe, revision, field, what was searched, both values, three trials with value, diagnosis, failure...
    assert page.text.count(HOSTILE) >= 14


def test_a_study_without_importances_says_why(tmp_path: Path) -> None:
    assert "Too few trials" in written(ODD["all scores equal"](), tmp_path).text
    assert "Too few trials" not in written(searched(12), tmp_path).text


def printed(study: StudyResult, width: int = 80) -> str:
    file = io.StringIO()
    print_study(study, Console(file=file, width=width), page=Path("study.html"))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 200])
def test_tables_are_cut_nowhere_and_name_the_fields_that_there_is_no_room_for(width: int) -> None:
    study = ODD["40 trials of 9 fields"]()
    text = printed(study, width)
    assert "…" not in text
    lines = text.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("trial "))
    assert [line.split()[0] for line in lines[head + 1 : head + 41]] == [str(number) for number in range(40)]
    shown = lines[head].split()
    assert shown[:5] == ["trial", "state", "accuracy", "steps", "origin"]
    assert ("No room for" in text) == (width == 80)
    assert "gradient_accumulation" in (text if width == 200 else text[text.index("No room for") :])


def test_the_terminal_marks_nothing_up_and_has_every_failure() -> None:
    study = searched(12, revisions=("[red]wider[/red]",))
    failed = replace(study.trials[5], failure="[bold]no[/bold]\nmemory")
    text = printed(replace(study, trials=(*study.trials[:5], failed, *study.trials[6:])))
    assert "trial 5 failed: [bold]no[/bold] memory" in text
    assert "- [red]wider[/red]" in text
    assert "Report    study.html" in text
