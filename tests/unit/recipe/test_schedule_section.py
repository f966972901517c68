"""The key ``schedule``: both its forms, and its mistakes with their lines."""

from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.recipe.json_schema import recipe_json_schema
from luthier.recipe.loading import load_recipe
from luthier.recipe.positions import parse_value
from luthier.recipe.problems import RecipeError
from luthier.recipe.resolving import ResolvedRecipe
from tests.unit.recipe.test_json_schema import EXAMPLE, accepted

Write = Callable[[str], Path]
RECIPE = "task: text-classification\ndata: {source: a.csv, columns: {text: a, label: b}}\nbase_model: {source: b}\n"


@pytest.fixture
def load(yaml_file: Write) -> Callable[..., ResolvedRecipe]:
    return lambda schedule, *overrides: load_recipe(yaml_file(f"{RECIPE}{schedule}\n"), overrides)


def problems(load: Callable[..., ResolvedRecipe], *given: str) -> str:
    with pytest.raises(RecipeError) as error:
        load(*given)
    return str(error.value)


def test_a_text_is_the_cron_of_a_schedule_in_utc(load):
    short, spelled = load('schedule: "0 3 * * 1"'), load('schedule: {cron: "0 3 * * 1", time_zone: UTC}')
    assert short.recipe.schedule == spelled.recipe.schedule
    assert short.origins["schedule.cron"] == "recipe"
    assert short.origins["schedule.time_zone"] == "default"
    assert load("schedule: 0 3 * * 1").recipe.schedule.cron == "0 3 * * 1"


def test_without_a_schedule_nothing_comes(load):
    assert load("").recipe.schedule.cron is None


def test_at_launch_either_form_replaces_it(load):
    assert load('schedule: "0 3 * * 1"', 'schedule="@daily"').recipe.schedule.cron == "@daily"
    found = load('schedule: "0 3 * * 1"', "schedule.time_zone=Europe/Berlin")
    assert (found.recipe.schedule.cron, found.recipe.schedule.time_zone) == ("0 3 * * 1", "Europe/Berlin")
    assert found.origins["schedule.time_zone"] == "launch override"


def test_the_resolved_recipe_reads_back(load, yaml_file):
    found = load('schedule: {cron: "0 3 * * 1", time_zone: Europe/Berlin}')
    again = load_recipe(yaml_file(found.as_yaml()))
    assert again.recipe.schedule == found.recipe.schedule


def test_mistakes_have_their_line_and_say_what_would_be_right(load):
    text = problems(load, 'schedule: "0 25 * * 1"')
    assert "recipe.yaml:4: schedule.cron: received '0 25 * * 1'" in text
    assert "the hour 25 is not between 0 and 23" in text
    text = problems(load, "schedule:\n  cron: 0 3 * *\n  time_zone: Europe/Berln")
    assert "recipe.yaml:5: schedule.cron" in text
    assert "recipe.yaml:6: schedule.time_zone: received 'Europe/Berln'" in text and "such as Europe/Berlin" in text
    assert "did you mean 'cron'" in problems(load, "schedule: {crn: x}")
    assert "schedule: received 5" in problems(load, "schedule: 5")
    assert "--set: schedule.cron" in problems(load, "", "schedule=0 99 * * *")


def test_editors_accept_both_forms():
    schema, example = recipe_json_schema(), parse_value(EXAMPLE.read_text())
    for given in ("0 3 * * 1", {"cron": "0 3 * * 1"}, {"cron": "0 3 * * 1", "time_zone": "Europe/Berlin"}):
        assert accepted({**example, "schedule": given}, schema, schema)
    assert not accepted({**example, "schedule": 5}, schema, schema)
