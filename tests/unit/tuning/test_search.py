import pytest

from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.search import rung_marks

ASHA = TuningSection()


def test_a_score_of_a_third_is_not_held_against_those_of_a_ninth():
    by_epoch = {33: 0.6, 66: 0.7, 100: 0.75}
    assert rung_marks(ASHA, by_epoch) == {"completed_rung_1": 0.6, "completed_rung_2": 0.75}


def test_a_trial_that_was_looked_at_early_counts_on_every_rung():
    standings = {11: 0.5, 33: 0.6, 100: 0.75}
    assert rung_marks(ASHA, standings) == {f"completed_rung_{n}": score for n, score in enumerate((0.5, 0.6, 0.75))}


@pytest.mark.parametrize("pruner", ["median", "hyperband", "none"])
def test_other_pruners_keep_no_marks(pruner):
    assert rung_marks(TuningSection(pruner=pruner), {11: 0.5}) == {}
