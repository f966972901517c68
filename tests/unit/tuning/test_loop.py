import pytest

from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.loop import Attempt, next_step

THREE = TuningSection(rounds=3)


def step(*attempts, tuning=THREE, met=False, higher=True):
    return next_step(tuning, attempts, met=met, higher_is_better=higher)


def test_a_first_training_that_falls_short_is_followed_by_the_first_round():
    found = step(Attempt(0, 0.7))
    assert (found.round, found.end) == (1, None)
    assert found.because == "The target is not met: round 1 of 3 follows."


def test_each_round_that_helps_is_followed_by_the_next_until_the_cap():
    better = [Attempt(0, 0.70), Attempt(1, 0.75), Attempt(2, 0.78)]
    assert step(*better[:2]).round == 2
    assert step(*better).round == 3
    assert step(*better, Attempt(3, 0.79)).end == "rounds used up"


def test_a_target_that_is_met_ends_the_loop_whatever_is_left():
    assert step(Attempt(0, 0.7), Attempt(1, 0.9), met=True).end == "target met"


@pytest.mark.parametrize(("least", "end"), [(0.0, None), (0.02, "no improvement"), (0.01, None), (None, None)])
def test_a_round_that_improves_too_little_is_the_last(least, end):
    tuning = TuningSection(rounds=9, min_improvement=least)
    assert step(Attempt(0, 0.70), Attempt(1, 0.715), tuning=tuning).end == end


def test_a_round_that_improves_nothing_is_the_last_unless_the_recipe_does_not_mind():
    tried = (Attempt(0, 0.7), Attempt(1, 0.7))
    assert step(*tried).end == "no improvement"
    assert step(*tried, tuning=TuningSection(rounds=3, min_improvement=None)).round == 2


def test_less_is_better_where_the_metric_says_so():
    assert step(Attempt(0, 9.0), Attempt(1, 8.0), higher=False).round == 2
    assert step(Attempt(0, 8.0), Attempt(1, 9.0), higher=False).end == "no improvement"


def test_the_hours_of_all_rounds_count_and_those_of_the_first_training_do_not():
    tuning = TuningSection(rounds=9, max_hours=1.0)
    assert step(Attempt(0, 0.7, seconds=9000), Attempt(1, 0.8, seconds=3500), tuning=tuning).round == 2
    rounds = (Attempt(1, 0.8, seconds=1800), Attempt(2, 0.9, seconds=1800))
    assert step(Attempt(0, 0.7), *rounds, tuning=tuning).end == "budget used up"


def test_a_round_that_failed_ends_the_loop_and_so_does_a_recipe_that_starts_none():
    assert step(Attempt(0, 0.7), Attempt(1, None, failed=True)).end == "study impossible"
    assert step(Attempt(0, 0.7), tuning=TuningSection(automatic=False)).end == "not automatic"


def test_rounds_without_a_first_training_on_the_same_data_are_not_held_against_one():
    assert step(Attempt(0, None), Attempt(1, 0.8)).round == 2


def test_what_no_hyperparameter_changes_starts_no_round():
    found = next_step(
        THREE, [Attempt(0, 0.7)], met=False, higher_is_better=True, untunable="a row takes 9.0 ms, more than 5."
    )
    assert (found.round, found.end) == (None, "study impossible")
    assert found.because == "No hyperparameter changes what it falls short of: a row takes 9.0 ms, more than 5."
