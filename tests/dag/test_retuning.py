"""What the sensor decides, from what Dagster recorded: real instances, recorded reports, recorded runs."""

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from pipelines.definitions import defs
from pipelines.retuning import retune_on_shortfall
from resources.recipe_book import RecipeBook

KEY = dg.AssetKey("evaluation_report")


class Loop:
    """The sensor over one project, and a short way to record reports and rounds."""

    def __init__(self, graph) -> None:
        self.graph, self.instance = graph, graph.instance
        self.repository = defs.get_repository_def()

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        book = RecipeBook(folder=str(self.graph.project / "recipes"))
        with dg.build_sensor_context(
            self.instance, repository_def=self.repository, resources={"recipes": book, "tracking": self.graph.tracking}
        ) as context:
            return retune_on_shortfall(context)

    def requests(self) -> list[dg.RunRequest]:
        found = self.tick()
        return list(found.run_requests or []) if isinstance(found, dg.SensorResult) else []

    def report(
        self,
        recipe="tiny",
        *,
        verdict="short",
        number=0,
        validation=0.5,
        data="splits",
        digest="report",
        run_id=None,
        **more,
    ) -> None:
        metadata = {
            "digest": digest,
            "data": data,
            "round": number,
            "validation score": validation,
            "verdict": verdict,
            "summary": f"{verdict.title()}.",
            **more,
        }
        made = dg.AssetMaterialization("evaluation_report", partition=recipe, metadata=metadata)
        if run_id is None:
            self.instance.report_runless_asset_event(made)
        else:
            event = dg.DagsterEvent(
                "ASSET_MATERIALIZATION", "finetune", event_specific_data=StepMaterializationData(made)
            )
            self.instance.report_dagster_event(event, run_id)

    def answer(self, request: dg.RunRequest, status=dg.DagsterRunStatus.SUCCESS, **report) -> None:
        """Records the run of a request, and the report that it made if it made one."""
        tags = {**request.tags, "dagster/partition": request.partition_key, "dagster/run_key": request.run_key}
        self.instance.create_run_for_job(self.repository.get_job("retune"), tags=tags, status=status)
        if status == dg.DagsterRunStatus.SUCCESS:
            self.report(request.partition_key, number=int(request.tags["luthier/round"]), **report)

    def ends(self) -> list[tuple[str, str]]:
        records = self.instance.fetch_observations(KEY, limit=100).records
        said = [record.asset_observation for record in records]
        return [(observed.partition, observed.metadata["loop ended"].value) for observed in reversed(said)]


@pytest.fixture
def loop(graph) -> Loop:
    return Loop(graph)


@pytest.fixture
def tuned(loop, write_recipe, tiny_bert):
    """A recipe with three rounds, of which no report is there yet."""
    for name in ("tiny", "tiny-full", "tiny-qlora"):
        write_recipe(
            name, base=tiny_bert, tuning="{rounds: 3, max_hours: 2}" if name == "tiny" else "{automatic: false}"
        )
    return loop


def test_a_report_that_falls_short_asks_for_one_round_with_everything_that_names_it(tuned):
    assert "no report yet" in tuned.tick().skip_message
    tuned.report()
    (request,) = tuned.requests()
    assert request.partition_key == "tiny"
    assert {name: request.tags[name] for name in ("luthier/round", "luthier/data", "luthier/report")} == {
        "luthier/round": "1",
        "luthier/data": "splits",
        "luthier/report": "report",
    }


def test_ticks_that_come_twice_ask_for_the_same_run(tuned):
    tuned.report()
    first, second = tuned.requests(), tuned.requests()
    assert [request.run_key for request in first] == [request.run_key for request in second]
    assert len({request.run_key for request in (*first, *second)}) == 1


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTING", "STARTED", "CANCELING"])
def test_nothing_begins_while_a_run_of_the_recipe_is_under_way(status, tuned):
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, dg.DagsterRunStatus[status])
    assert "a run is queued or under way" in tuned.tick().skip_message


def test_rounds_follow_each_other_up_to_the_cap_and_the_end_is_said_once(tuned):
    tuned.report()
    for number in (1, 2, 3):
        (request,) = tuned.requests()
        assert request.tags["luthier/round"] == str(number)
        tuned.answer(request, validation=0.5 + number / 10, digest=f"report-{number}")
    for _ in range(3):
        assert "not met after 3 of 3 rounds" in tuned.tick().skip_message
    assert tuned.ends() == [("tiny", "rounds used up")]


def test_a_report_that_meets_the_target_ends_the_loop_and_a_first_one_says_nothing(tuned):
    tuned.report(verdict="met")
    tuned.tick()
    assert tuned.ends() == []
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, verdict="met", validation=0.9)
    assert tuned.requests() == []
    assert tuned.ends() == [("tiny", "target met")]


def test_a_round_that_failed_or_helped_nothing_ends_the_loop(tuned):
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, validation=0.5)
    assert tuned.requests() == []
    assert tuned.ends() == [("tiny", "no improvement")]
    tuned.report(data="other")
    (request,) = tuned.requests()
    tuned.answer(request, dg.DagsterRunStatus.FAILURE)
    assert tuned.requests() == []
    assert tuned.ends()[-1] == ("tiny", "study impossible")


def test_a_training_between_rounds_does_not_hide_what_the_round_before_it_gained(tuned):
    tuned.report(validation=0.5)
    (request,) = tuned.requests()
    tuned.answer(request, validation=0.7, digest="better")
    tuned.report(validation=0.7, digest="better")
    (request,) = tuned.requests()
    assert request.tags["luthier/round"] == "2"


def test_a_report_that_no_hyperparameter_mends_starts_no_round_and_says_why(tuned):
    tuned.report(**{"no tuning mends": "a row takes 9.0 ms, more than 5.", "what next": "Take a smaller base model."})
    assert tuned.requests() == []
    assert tuned.ends() == [("tiny", "study impossible")]
    (record,) = tuned.instance.fetch_observations(KEY, limit=1).records
    summary = record.asset_observation.metadata["summary"].value
    assert "No hyperparameter changes what it falls short of: a row takes 9.0 ms" in summary
    assert summary.endswith("Take a smaller base model.")


def test_new_data_begins_to_count_anew_and_says_so_of_the_loop_before(tuned):
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, validation=0.6)
    tuned.report(data="new splits", digest="new")
    (request,) = tuned.requests()
    assert (request.tags["luthier/round"], request.tags["luthier/data"]) == ("1", "new splits")
    assert tuned.ends() == [("tiny", "data changed")]
    tuned.requests()
    assert tuned.ends() == [("tiny", "data changed")]


def test_an_end_whose_saying_was_cut_short_is_said_at_the_next_tick(tuned, monkeypatch):
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, validation=0.5)
    with monkeypatch.context() as broken:
        broken.setattr(type(tuned.instance), "report_runless_asset_event", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tuned.tick()
    assert tuned.ends() == []
    for _ in range(2):
        tuned.tick()
    assert tuned.ends() == [("tiny", "no improvement")]


def test_recipes_that_start_nothing_by_themselves_are_left_alone(tuned):
    tuned.report("tiny-full")
    assert tuned.requests() == []
    assert tuned.ends() == []


def test_a_thousand_idle_ticks_start_nothing_and_say_nothing_twice(tuned):
    tuned.report()
    (request,) = tuned.requests()
    tuned.answer(request, validation=0.5)
    assert all(not tuned.requests() for _ in range(1000))
    assert tuned.ends() == [("tiny", "no improvement")]


def test_a_bad_recipe_is_skipped_with_its_reason_and_the_others_go_on(tuned, project):
    (project / "recipes" / "tiny-full.yaml").write_text("task: nothing\n")
    tuned.report()
    tuned.report("tiny-full")
    assert [request.partition_key for request in tuned.requests()] == ["tiny"]
    (project / "recipes" / "tiny.yaml").write_text("task: nothing\n")
    said = tuned.tick().skip_message
    assert "tiny: the recipe has" in said and "tiny-full: the recipe has" in said


def test_a_report_of_values_given_at_launch_starts_nothing(tuned, project):
    recipes = {"folder": str(project / "recipes"), "overrides": ["evaluation.target=0.99"]}
    given = {"resources": {"recipes": {"config": recipes}}}
    job = tuned.repository.get_job("finetune")
    run = tuned.instance.create_run_for_job(
        job, run_config=given, tags={"dagster/partition": "tiny"}, status=dg.DagsterRunStatus.SUCCESS
    )
    tuned.report(run_id=run.run_id)
    assert "given at launch" in tuned.tick().skip_message
    tuned.report()
    assert len(tuned.requests()) == 1


def test_a_report_from_before_rounds_were_counted_is_no_report(tuned):
    old = dg.AssetMaterialization("evaluation_report", partition="tiny", metadata={"verdict": "short", "digest": "old"})
    tuned.instance.report_runless_asset_event(old)
    assert "no report yet" in tuned.tick().skip_message
