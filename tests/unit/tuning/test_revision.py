from dataclasses import replace

import pytest

from luthier.tuning.result import TrialResult
from luthier.tuning.revision import BY_REPORT, RULES, Change, Round, revised
from luthier.tuning.space import Dimension

RATE, RANK, EPOCHS = "training.learning_rate", "method.r", "training.epochs"
RATES = Dimension(RATE, low=1e-4, high=1e-2, log=True)
RANKS = Dimension(RANK, choices=(4, 8, 16))
FLAT = ((10, 0.8), (20, 0.8))


def trial(number, score=0.8, *, rate=1e-3, rank=8, state="complete", diagnosis="fit", failure=None, curve=FLAT):
    values = {RATE: rate, RANK: rank}
    return TrialResult(number, state, values, score, curve, 20, 20, 1.0, "the sampler", diagnosis, failure)


def after(*trials, space=(RATES, RANKS), allows=lambda field, value: True, **settings):
    values = {RATE: 1e-3, RANK: 8, EPOCHS: 3.0, "training.weight_decay": 0.0, "method.dropout": 0.0}
    return Round(space, trials, True, values, allows, **settings)


def test_nothing_is_changed_without_a_reason():
    space, reasons = revised(after(*(trial(n) for n in range(3))))
    assert space == (RATES, RANKS) and reasons == ()


def test_rates_end_where_training_diverged():
    fine = [trial(n) for n in range(4)]
    burst = [
        trial(4, None, rate=8e-3, state="failed", diagnosis=None, failure="loss is nan at step 3"),
        trial(5, 0.5, rate=5e-3, diagnosis="divergence"),
    ]
    (rates, _), (reason,) = revised(after(*fine, *burst))
    assert (rates.low, rates.high) == (1e-4, 5e-3)
    assert "2 of 6 trials diverged" in reason
    assert revised(after(*fine, burst[1]))[0] == (RATES, RANKS)


def test_trainings_that_were_still_learning_may_be_longer():
    rising = [trial(n, 0.8 + n / 100, curve=((10, 0.7), (20, 0.8 + n / 100))) for n in range(3)]
    (*_, epochs), reasons = revised(after(*rising))
    assert epochs == Dimension(EPOCHS, choices=(3.0, 6.0))
    assert any("were still learning" in reason for reason in reasons)
    (*_, longer), _ = revised(after(*rising, space=(RATES, RANKS, epochs)))
    assert longer.choices == (3.0, 6.0, 12.0)


def test_overfitting_brings_weight_decay_and_dropout_into_the_search():
    space, reasons = revised(after(*(trial(n, diagnosis="overfitting") for n in range(3))))
    fields = {dimension.field: dimension for dimension in space}
    assert fields["training.weight_decay"].choices == (0.0, 0.01, 0.1)
    assert fields["method.dropout"].high == 0.3
    assert all("3 of the best 3 trials overfitted" in reason for reason in reasons)


@pytest.mark.parametrize(("rate", "low", "high"), [(9.5e-3, 1e-4, 0.1), (1.05e-4, 1e-5, 1e-2)])
def test_a_best_rate_at_the_edge_widens_the_range_on_that_side(rate, low, high):
    (rates, _), (reason,) = revised(after(trial(0, 0.9, rate=rate), trial(1), trial(2)))
    assert (rates.low, rates.high) == (pytest.approx(low), pytest.approx(high))
    assert "at the edge" in reason


def test_a_best_choice_at_the_end_is_followed_by_the_next_one_if_the_field_may_have_it():
    best = trial(0, 0.9, rank=16)
    (_, ranks), _ = revised(after(best, trial(1), trial(2)))
    assert ranks.choices == (4, 8, 16, 32)
    narrow = after(best, trial(1), trial(2), allows=lambda field, value: field != RANK or value <= 16)
    assert revised(narrow)[0] == (RATES, RANKS)


def test_many_trials_whose_best_lie_together_narrow_the_range():
    close = [trial(n, 0.9, rate=1e-3 * (1 + n / 10)) for n in range(3)]
    far = [
        trial(n + 3, 0.5, rate=rate) for n, rate in enumerate((2e-4, 3e-4, 4e-4, 5e-3, 6e-3, 7e-3, 8e-3, 3e-3, 4e-3))
    ]
    (rates, _), (reason,) = revised(after(*close, *far))
    assert 1e-4 < rates.low < 1e-3 < rates.high < 1e-2
    assert "close together" in reason


def test_further_rules_have_a_place_and_the_first_one_that_changes_a_field_decides():
    def noisy(found: Round):
        if "noisy labels" in found.diagnoses:
            yield Change(replace(RANKS, choices=(2, 4)), f"noisy labels: {found.diagnoses['noisy labels']}")

    best = trial(0, 0.9, rank=16)
    found = after(best, trial(1), trial(2), diagnoses={"noisy labels": "7 % of the labels look wrong"})
    (_, ranks, _), (reason, _) = revised(found, (noisy, *RULES))
    assert ranks.choices == (2, 4) and reason == "noisy labels: 7 % of the labels look wrong"


def test_a_noisy_report_brings_label_smoothing_into_the_search_once():
    found = after(trial(0), trial(1), trial(2), diagnoses={"noisy labels": "7 % of the labels look wrong."})
    (*_, smoothing), (reason,) = revised(found)
    assert smoothing == Dimension("training.label_smoothing", choices=(0.0, 0.05, 0.1))
    assert reason == "the report found noisy labels (7 % of the labels look wrong): label smoothing is searched"
    assert revised(replace(found, space=(RATES, RANKS, smoothing))) == ((RATES, RANKS, smoothing), ())
    refused = replace(found, allows=lambda field, value: field != "training.label_smoothing" or value == 0)
    assert revised(refused) == ((RATES, RANKS), ())


def test_a_report_alone_changes_the_first_space_by_what_it_found():
    first = after(diagnoses={"overfitting": "Much was learned by heart."})
    space, reasons = revised(first, BY_REPORT)
    assert {dimension.field for dimension in space} == {RATE, RANK, "training.weight_decay", "method.dropout"}
    assert all(reason.startswith("the report found overfitting (Much was learned by heart)") for reason in reasons)
    hardly = after(trial(0), trial(1), trial(2), diagnoses={"underfitting": "It hardly fell."})
    assert revised(hardly, BY_REPORT) == ((RATES, RANKS), ())
    (*_, epochs), (reason,) = revised(hardly)
    assert epochs == Dimension(EPOCHS, choices=(3.0, 6.0)) and "the report found underfitting" in reason
    assert revised(after(), BY_REPORT) == ((RATES, RANKS), ())
