from dataclasses import replace

import pytest

from luthier.tuning.space import Dimension
from luthier.tuning.wording import (
    headline,
    score_text,
    searched_text,
    short_names,
    space_sentence,
    states_sentence,
    trial_rows,
    value_rows,
    value_text,
)
from tests.unit.tuning.made_studies import RATE, lower_is_better, study_of, trial_result

OWN = trial_result(0, 0.846, origin="the recipe")


def test_the_best_is_named_beside_the_recipes_own_values() -> None:
    others = [trial_result(number, 0.8) for number in range(1, 11)]
    study = study_of(OWN, *others, trial_result(11, 0.861))
    assert headline(study) == "Best validation accuracy 0.861 in trial 11 of 12; the recipe's own values had 0.846."
    assert headline(study_of(trial_result(0, 0.5), trial_result(1, 0.6))) == (
        "Best validation accuracy 0.600 in trial 1 of 2."
    )


def test_a_best_that_is_the_recipes_own_is_said_to_be_no_gain() -> None:
    worse = [trial_result(1, 0.8), trial_result(2, 0.7)]
    assert headline(study_of(OWN, *worse)) == (
        "No trial was better than the recipe's own values: validation accuracy 0.846 in trial 0 of 3."
    )
    assert headline(study_of(OWN, trial_result(1, None))) == (
        "Only the recipe's own values were trained to the end: validation accuracy 0.846 in trial 0."
    )


def test_ties_are_said_and_never_count_as_a_gain() -> None:
    tied = study_of(OWN, trial_result(1, 0.9), trial_result(2, 0.9))
    assert (
        headline(tied) == "Best validation accuracy 0.900 in trials 1 and 2 alike; the recipe's own values had 0.846."
    )
    # `best` is the first of equals, here not the recipe's own.
    study = study_of(trial_result(0, 0.846), replace(OWN, number=1), trial_result(2, 0.846), trial_result(3, 0.2))
    assert study.best.number == 0
    assert headline(study) == (
        "No trial was better than the recipe's own values: validation accuracy 0.846 in trial 1 of 4. "
        "Trials 0 and 2 came to the same."
    )


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (replace(OWN, state="pruned", steps=40), "were pruned at step 40, with 0.846 until then."),
        (replace(OWN, state="failed", score=None), "the recipe's own values failed."),
        (replace(OWN, state="killed", score=None), "the recipe's own values were killed."),
    ],
)
def test_own_values_that_were_not_trained_to_the_end_are_no_measure(own, said: str) -> None:
    assert headline(study_of(own, trial_result(1, 0.8))).endswith(said)
    # Tried again after a kill: the second one counts.
    again = study_of(replace(OWN, state="killed", score=None), replace(OWN, number=1, score=0.7), trial_result(2, 0.8))
    assert headline(again).endswith("the recipe's own values had 0.700.")


def test_scores_that_differ_do_not_read_alike() -> None:
    study = study_of(trial_result(0, 0.86142, origin="the recipe"), trial_result(1, 0.86148))
    assert headline(study).startswith("Best validation accuracy 0.8615 in trial 1 of 2")
    assert headline(study).endswith("had 0.8614.")
    assert score_text(study, trial_result(2, None)) == "–"
    low = lower_is_better(study_of(OWN, trial_result(1, 0.9)))
    assert headline(low) == "Best validation perplexity 3.69 in trial 1 of 2; the recipe's own values had 10.9."


def test_states_are_counted_the_most_frequent_first() -> None:
    trials = [trial_result(n, 0.5, state="pruned") for n in range(8)]
    trials += [trial_result(n, 0.5) for n in range(8, 11)] + [trial_result(11, None)]
    assert states_sentence(study_of(*trials)) == "8 pruned, 3 complete, 1 failed"


def test_values_are_written_as_recipes_have_them() -> None:
    values = [True, None, 8, 0.00031234, 1e-5, 0.5, "all-linear", ["query", "value"]]
    assert [value_text(value) for value in values] == [
        *("true", "null", "8", "0.000312", "1e-05", "0.5", "all-linear"),
        "query, value",
    ]


def test_dimensions_say_what_was_searched_and_under_which_condition() -> None:
    assert searched_text(RATE) == "1e-05 to 0.01, log"
    assert searched_text(Dimension("training.epochs", low=1, high=6, integer=True)) == "1 to 6, whole numbers"
    when = {"method.use_dora": (True,), "method.r": (4, 8)}
    assert searched_text(Dimension("method.init", choices=("kaiming", None), when=when)) == (
        "kaiming or null, where use_dora is true and r is 4 or 8"
    )
    names = short_names(["training.dropout", "method.dropout", "method.r"])
    assert list(names.values()) == ["training.dropout", "method.dropout", "r"]


def test_a_space_says_whether_it_is_that_of_the_round_before() -> None:
    assert space_sentence(study_of(OWN)).startswith("The first round")
    assert "the same space" in space_sentence(study_of(OWN, round=2))
    assert "another space" in space_sentence(study_of(OWN, round=2, revisions=("wider",)))


def test_tables_have_a_cell_for_all_that_is_known_of_a_trial() -> None:
    pruned = trial_result(3, 0.5, state="pruned", steps=40, seconds=4.0, values={}, diagnosis=None)
    study = study_of(OWN, pruned, importances={RATE.field: 1.0})
    assert trial_rows(study)[1] == {
        "trial": "3",
        "origin": "the sampler",
        "state": "pruned",
        "accuracy": "0.500",
        "steps": "40 of 120",
        "pruned at": "40",
        "time": "4 s",
        "learning_rate": "–",
        "diagnosis": "–",
        "failure": "–",
    }
    assert value_rows(study) == [
        {
            "field": "training.learning_rate",
            "searched": "1e-05 to 0.01, log",
            "recipe": "0.001",
            "best": "0.001",
            "importance": "100 %",
        }
    ]
