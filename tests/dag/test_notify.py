"""The sensor ``notify`` on real runs, a real web server and a real program."""

import json
import sys
import threading

import dagster as dg
import pytest

from pipelines.notifying import notify
from resources import outbox
from tests.dag.ticks import Ticks, said
from tests.web_hook import WebHook, web_hook

REPORT = dg.AssetKey("evaluation_report")
HOOK = "{webhook: {url_env: TEAM_HOOK}}"


@pytest.fixture
def server(monkeypatch):
    with web_hook() as server:
        monkeypatch.setenv("TEAM_HOOK", server.url)
        yield server


@pytest.fixture
def ticks(graph):
    return Ticks(graph, notify)


@pytest.fixture
def fail(graph, write_recipe, tmp_path):
    """A run that fails, since its source is not there."""

    def _fail(recipe: str = "tiny", *, hook: str = HOOK) -> str:
        data = "{source: gone.csv, columns: {text: text, label: label}}"
        write_recipe(recipe, base=tmp_path, data=data, on_failure=hook)
        result = graph.run(recipe=recipe, select="raw_data")
        assert not result.success
        return result.run_id

    return _fail


def end_loop(graph, end: str = "rounds used up", recipe: str = "tiny") -> None:
    metadata = {"loop ended": end, "summary": "3 rounds came to 0.71 of 0.8.", "report": "0" * 64}
    graph.instance.report_runless_asset_event(dg.AssetObservation(REPORT, partition=recipe, metadata=metadata))


def texts(server: WebHook) -> list[str]:
    return [received["text"] for received in server.received]


def test_a_failed_run_is_told_once_with_its_innermost_reason_and_its_page(graph, ticks, fail, server):
    ticks.tick()
    run_id = fail()
    assert said(ticks.tick()) == "sent 1"
    for _ in range(5):
        assert said(ticks.tick()) == "nothing to tell"
    (text,) = texts(server)
    assert text.startswith("*tiny*: a run of ") and "gone.csv" in text and "no such file" in text
    assert f"<http://127.0.0.1:3000/runs/{run_id}|Dagster run {run_id[:8]}>" in text
    assert "Traceback" not in text and "DagsterExecutionStepExecutionError" not in text


def test_what_happened_before_the_first_tick_is_nobodys_news(graph, ticks, fail, server):
    run_id = fail()
    end_loop(graph)
    ticks.tick()
    graph.instance.add_run_tags(run_id, {"touched": "later"})
    ticks.tick()
    assert server.asked == 0
    fail()
    end_loop(graph)
    ticks.tick()
    assert len(server.received) == 2


def test_a_run_that_succeeds_tells_nobody(graph, ticks, tiny_bert, write_recipe, server):
    ticks.tick()
    write_recipe(base=tiny_bert, on_failure=HOOK)
    assert graph.run(select="raw_data").success
    assert said(ticks.tick()) == "nothing to tell" and server.asked == 0


@pytest.mark.parametrize("end", ["target met", "rounds used up", "study impossible"])
def test_every_end_of_a_loop_is_told_and_other_observations_are_not(graph, ticks, tiny_bert, write_recipe, server, end):
    write_recipe(base=tiny_bert, on_failure=HOOK)
    ticks.tick()
    other = dg.AssetObservation(REPORT, partition="tiny", metadata={"summary": "looked at"})
    graph.instance.report_runless_asset_event(other)
    end_loop(graph, end)
    ticks.tick()
    ticks.tick()
    assert texts(server) == [f"*tiny*: the loop has ended: {end}\n3 rounds came to 0.71 of 0.8."]


def test_a_tick_whose_end_was_lost_repeats_nothing(graph, ticks, fail, server):
    ticks.tick()
    fail()
    end_loop(graph)
    ticks.tick(crash=True)
    ticks.tick(crash=True)
    ticks.tick()
    assert len(server.received) == 2


def test_two_ticks_at_once_tell_once(graph, ticks, fail, server):
    ticks.tick()
    fail()
    others = [Ticks(graph, notify) for _ in range(3)]
    for other in others:
        other.cursor = ticks.cursor
    threads = [threading.Thread(target=other.tick) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ticks.tick()
    assert len(server.received) == 1


def test_an_unreachable_hook_is_tried_again_and_given_up_and_the_next_event_still_arrives(
    graph, ticks, fail, server, monkeypatch
):
    monkeypatch.setattr(outbox, "WAITS", (0.0, 0.0))
    monkeypatch.setenv("GONE", "http://127.0.0.1:1/secret-path")
    ticks.tick()
    fail("tiny-full", hook="{webhook: {url_env: GONE}}")
    fail()
    lines = [said(ticks.tick()) for _ in range(4)]
    reason = "127.0.0.1 was not reached: ClientConnectorError"
    assert lines == [
        f"sent 1; tiny-full: webhook is tried again: {reason}",
        f"tiny-full: webhook is tried again: {reason}",
        f"tiny-full: webhook given up: {reason}",
        "nothing to tell",
    ]
    assert len(server.received) == 1


def test_a_server_that_fails_at_first_gets_the_message_once(graph, ticks, fail, server, monkeypatch):
    monkeypatch.setattr(outbox, "WAITS", (0.0, 0.0, 0.0))
    server.statuses += [500, 429]
    ticks.tick()
    fail()
    for _ in range(5):
        ticks.tick()
    assert server.asked == 3 and len(server.received) == 1


def test_a_command_is_told_in_the_projects_folder(graph, ticks, fail, project):
    ticks.tick()
    code = "import sys; open('told.json', 'w').write(sys.stdin.read())"
    run_id = fail(hook=f"{{command: {json.dumps([sys.executable, '-c', code])}}}")
    assert said(ticks.tick()) == "sent 1"
    told = json.loads((project / "told.json").read_text())
    assert told["run_id"] == run_id and told["recipe"] == "tiny" and "gone.csv" in told["why"]


def test_a_recipe_broken_elsewhere_still_tells_and_one_whose_hooks_are_broken_is_said_once(
    graph, ticks, project, server
):
    ticks.tick()
    broken = project / "recipes" / "tiny.yaml"
    broken.write_text(f"task: nonsense\non_failure: {HOOK}\n")
    assert not graph.run(select="raw_data").success
    assert said(ticks.tick()) == "sent 1"
    assert "task" in texts(server)[0]
    broken.write_text("task: nonsense\non_failure: {webhook: 'http://host/secret-path'}\n")
    assert not graph.run(select="raw_data").success
    line = said(ticks.tick())
    assert "nobody is told" in line and "secret" not in line
    assert said(ticks.tick()) == "nothing to tell"


def test_a_run_without_an_executing_process_is_told_with_dagsters_words(graph, ticks, tiny_bert, write_recipe, server):
    write_recipe(base=tiny_bert, on_failure=HOOK)
    ticks.tick()
    from pipelines.definitions import finetune_job

    run = graph.instance.create_run_for_job(finetune_job(), tags={"dagster/partition": "tiny"})
    graph.instance.report_run_failed(run, "The process that executed this run (pid 1) is gone.")
    ticks.tick()
    assert "a run of finetune failed\nThe process that executed this run (pid 1) is gone." in texts(server)[0]
