"""Studies at work: real trainings, real databases, processes that are really killed."""

import random

import pytest

from luthier.digest import file_digest
from luthier.errors import LuthierError
from luthier.recipe.tuning_section import TuningSection
from luthier.training.finetuning import finetune
from luthier.tuning.database import HISTORY, MOST_RETRIES
from luthier.tuning.result import TrialResult
from luthier.tuning.space import Dimension
from luthier.tuning.study import RunningStudy
from luthier.tuning.tuning import Start
from tests.unit.tuning.small_study import FATAL, RATE, RATES, SmallStudy, begin, finished, results

SAMPLERS = ("tpe", "random", "grid", "cmaes", "gp")
KILLS, SEED = 20, 5
PATIENT = {"epochs": 12, "early_stopping": {"patience": 20}}


@pytest.fixture
def small(fine_tuning, tmp_path):
    """Makes a study of LoRA on a tiny BERT."""

    def make(**settings) -> SmallStudy:
        section = TuningSection(**settings.pop("tuning", {"trials": 6}))
        job = fine_tuning(**{"kind": "lora", "epochs": 3, "learning_rate": 1e-4, **settings.pop("training", {})})
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        return SmallStudy(job, folder, section, **settings)

    return make


def ranked(trials: list[TrialResult]) -> list[TrialResult]:
    return sorted((t for t in trials if t.state == "complete"), key=lambda t: t.score, reverse=True)


def test_hopeless_trials_are_pruned_and_the_best_one_ran_to_its_end(small):
    own = Start({RATE: 1e-2}, "the recipe")
    study = small(tuning={"trials": 9, "sampler": "random"}, starts=(own,), training=PATIENT)
    trials = finished(study)
    assert len(trials) == 9
    assert trials[0].origin == "the recipe" and trials[0].values == {RATE: 1e-2}
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned and all(0 < trial.steps < trial.max_steps for trial in pruned)
    best = ranked(trials)[0]
    assert best.steps == best.max_steps and best.score == max(score for _, score in best.curve)
    assert best.score >= max(trial.score for trial in pruned)
    assert study.noted("began") == list(range(9))
    assert len(study.noted("pruned")) == len(pruned)


def test_a_trial_is_the_very_training_that_its_values_get(small, tmp_path):
    study = small(tuning={"trials": 3, "pruner": "none"})
    best = ranked(finished(study))[0]
    prepared = study.prepare(best.values)
    assert [path.name for path in (study.folder / "work").iterdir()] == [prepared.digest]
    weights, scores, resumed = [], [], []
    for name, work in (("on", prepared.work), ("anew", tmp_path / "anew")):
        output = tmp_path / name / "output"
        output.mkdir(parents=True)
        facts = finetune(prepared.job, work=work, output=output, on_metrics=lambda values, step: None)
        weights.append(file_digest(output / "adapter_model.safetensors"))
        scores.append(facts.best_score)
        resumed.append(facts.resumed_from_step)
    assert weights[0] == weights[1]
    assert scores == [best.score] * 2
    assert resumed == [best.max_steps, 0]


def test_trials_that_fail_or_are_killed_for_want_of_memory_take_nothing_else_with_them(small):
    ranks = Dimension("method.r", choices=(4, 4096))
    starts = [Start({RATE: rate, "method.r": rank}, "given") for rate, rank in ((0.025, 4), (1e-3, 4096), (1e-3, 4))]
    study = small(tuning={"trials": 3}, space=(*RATES, ranks), starts=tuple(starts), fatal=True)
    killed, refused, good = finished(study)
    assert killed.state == "failed" and "was killed" in killed.failure
    assert refused.state == "failed" and "must be at most" in refused.failure
    assert good.state == "complete"
    assert killed.values[RATE] > FATAL


def test_a_study_in_which_nothing_can_be_completed_says_why(small, monkeypatch):
    from luthier.tuning import nursery

    monkeypatch.setattr(nursery, "START_METHOD", "forkserver")
    study = small(tuning={"trials": 2}, space=(Dimension("method.r", choices=(2048, 4096)),))
    with pytest.raises(LuthierError, match="no trial could be completed") as caught:
        RunningStudy(study.tuning()).work()
    assert "must be at most" in str(caught.value)


def test_what_is_known_is_not_trained_again_and_costs_no_trial(small):
    known = TrialResult(-1, "complete", {RATE: 2e-3}, 0.75, ((11, 0.6), (33, 0.75)), 33, 33, 0.0, "the recipe")
    study = small(tuning={"trials": 2}, starts=(Start({RATE: 2e-3}, "the recipe", known),))
    trials = finished(study)
    assert [trial.state for trial in trials].count("complete") >= 1 and len(trials) == 3
    assert (trials[0].score, trials[0].seconds, trials[0].origin) == (0.75, 0.0, "the recipe")
    assert study.noted("began") == [1, 2]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_stays_in_the_space_and_honours_conditions(sampler, small):
    conditional = (
        () if sampler == "grid" else (Dimension("method.dropout", low=0.0, high=0.5, when={"method.r": (8,)}),)
    )
    space = (*RATES, Dimension("method.r", choices=(4, 8)), *conditional)
    trials = finished(small(tuning={"trials": 6, "sampler": sampler}, space=space, training={"epochs": 1}))
    assert len(trials) == 6
    for trial in trials:
        assert all(dimension.contains(trial.values[dimension.field]) for dimension in space[:2])
        assert ("method.dropout" in trial.values) == (bool(conditional) and trial.values["method.r"] == 8)
    assert len({str(trial.values) for trial in trials}) == 6


def test_a_grid_ends_when_every_point_was_tried(small):
    space = (Dimension("method.r", choices=(2, 4, 8)),)
    study = small(tuning={"trials": 50, "sampler": "grid"}, space=space, training={"epochs": 1})
    trials = finished(study)
    assert sorted(trial.values["method.r"] for trial in trials) == [2, 4, 8]
    assert (study.folder / "ended").read_text() == "grid used up"


def test_the_hours_end_a_study_too(small):
    study = small(tuning={"trials": None, "max_hours": 1.0}, seconds=0.01, training={"epochs": 1})
    assert len(finished(study)) == 1
    assert (study.folder / "ended").read_text() == "hours used up"


def test_a_study_that_was_stopped_suggests_what_it_would_have(small, fine_tuning, tmp_path):
    whole = small(tuning={"trials": 6, "pruner": "none"}, training={"epochs": 1})
    (tmp_path / "parts").mkdir()
    part = SmallStudy(whole.job, tmp_path / "parts", TuningSection(trials=3, pruner="none"))
    finished(part)
    rest = SmallStudy(whole.job, tmp_path / "parts", TuningSection(trials=6, pruner="none"))
    assert [trial.values for trial in finished(rest)] == [trial.values for trial in finished(whole)]


def test_two_processes_share_one_study_and_no_trial_is_made_twice(small):
    study = small(tuning={"trials": 8, "sampler": "random"}, training={"epochs": 1})
    processes = [begin(study), begin(study)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    trials = results(study)
    assert len(trials) == 8 and {trial.state for trial in trials} <= {"complete", "pruned"}
    assert sorted(study.noted("began")) == list(range(8))
    assert len({str(trial.values) for trial in trials}) == 8


def test_a_study_in_postgresql_is_shared_too(small, postgres):
    study = small(tuning={"trials": 4, "sampler": "random"}, training={"epochs": 1}, storage=postgres)
    processes = [begin(study), begin(study)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(study.noted("began")) == list(range(4))
    assert {trial.state for trial in results(study)} <= {"complete", "pruned"}


def test_a_study_killed_twenty_times_loses_no_trial_and_counts_none_twice(small, tmp_path):
    trials = 10
    study = small(tuning={"trials": trials, "sampler": "random"}, training={"epochs": 3})
    chance = random.Random(SEED)
    for _ in range(KILLS):
        process = begin(study)
        process.join(chance.uniform(0.1, 1.2))
        process.kill()
        process.join()
    found = finished(study)
    superseded = [trial for trial in found if trial.state == "killed"]
    counted = [trial for trial in found if trial.state != "killed"]
    assert len(counted) == trials
    assert {trial.state for trial in counted} <= {"complete", "pruned", "failed"}
    assert superseded, "no kill hit a trial: raise KILLS"
    given_up = [trial for trial in counted if trial.state == "failed"]
    assert all("killed" in trial.failure for trial in given_up)
    kept = {trial.number: trial for trial in RunningStudy(study.tuning()).study.get_trials()}
    histories = [kept[trial.number].system_attrs.get(HISTORY, []) for trial in counted]
    assert max(map(len, histories)) <= MOST_RETRIES
    assert sorted(number for history in histories for number in history) == [trial.number for trial in superseded]
    ended = study.noted("complete") + study.noted("pruned")
    assert len(ended) == len(set(ended))
    best = ranked(counted)[0]
    output = tmp_path / "output"
    output.mkdir()
    job = study.prepare(best.values).job
    facts = finetune(job, work=tmp_path / "fresh", output=output, on_metrics=lambda values, step: None)
    assert facts.best_score == best.score
