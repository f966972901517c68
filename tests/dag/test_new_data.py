"""The sensor ``new_data`` on real files: one run for each new content that has come to rest, and none otherwise."""

import json
import os
import shutil

import dagster as dg
import pytest

from pipelines.definitions import finetune_job
from pipelines.new_data import new_data
from tests.dag.ticks import Ticks, said

DATA = '{{source: {source}, columns: {{text: text, label: "sentiment > 0"}}, labels: [bad, good], watch: {watch}}}'


@pytest.fixture
def ticks(graph):
    return Ticks(graph, new_data)


@pytest.fixture
def watch(graph, write_recipe, tiny_bert):
    """Writes a recipe that is watched, and materializes its raw_data."""

    def _watch(name: str = "tiny", *, source: str = "reviews.csv", watch: str = "true", made: bool = True) -> None:
        write_recipe(name, base=tiny_bert, data=DATA.format(source=source, watch=watch))
        if made:
            assert graph.run(recipe=name, select="raw_data").success

    return _watch


@pytest.fixture
def hashed(monkeypatch):
    """The files that were read to the end for their digest."""
    from luthier.sources import fetched

    read, honest = [], fetched.file_digest

    def noted(path):
        read.append(path.name)
        return honest(path)

    monkeypatch.setattr(fetched, "file_digest", noted)
    return read


def append(project, line: str = "999,1.5,good lovely film extra\n") -> None:
    with (project / "reviews.csv").open("a") as file:
        file.write(line)


def age(path) -> None:
    """Makes a file look an hour old, as far as times can be set."""
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 3_600_000_000_000))


def requests(data) -> list[dg.RunRequest]:
    return list(data.run_requests or [])


def start(graph, request: dg.RunRequest, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    """A run as the daemon makes one of a request."""
    tags = {**request.tags, "dagster/run_key": request.run_key, "dagster/partition": request.partition_key}
    return graph.instance.create_run_for_job(finetune_job(), tags=tags, status=status)


def test_new_content_starts_one_run_at_the_second_look_in_a_row(graph, ticks, watch, project):
    watch()
    assert said(ticks.tick()) == "tiny: unchanged"
    append(project)
    assert said(ticks.tick()) == "tiny: changed; a run starts when the next look finds the same"
    (request,) = requests(ticks.tick())
    assert request.partition_key == "tiny" and request.job_name in (None, "finetune")
    assert request.tags["luthier/trigger"] == "new data" and request.tags["dagster/priority"] == "-1"
    run = start(graph, request, dg.DagsterRunStatus.STARTED)
    assert "is queued or under way" in said(ticks.tick())
    assert graph.run(select="raw_data").success
    graph.instance.report_run_canceled(run)
    assert said(ticks.tick()) == "tiny: unchanged"


def test_a_lost_tick_asks_for_the_same_run_again(graph, ticks, watch, project):
    watch()
    append(project)
    ticks.tick()
    (first,), (second,) = requests(ticks.tick(crash=True)), requests(ticks.tick(crash=True))
    assert first.run_key == second.run_key


def test_content_whose_run_failed_is_not_tried_over_and_over(graph, ticks, watch, project):
    watch()
    append(project)
    ticks.tick()
    (request,) = requests(ticks.tick())
    start(graph, request, dg.DagsterRunStatus.FAILURE)
    for _ in range(3):
        assert "was started for this content (FAILURE)" in said(ticks.tick())
    append(project)
    ticks.tick()
    (other,) = requests(ticks.tick())
    assert other.run_key != request.run_key


def test_a_thousand_idle_ticks_start_nothing_and_read_nothing(ticks, watch, project, monkeypatch, hashed):
    from resources import source_watch

    watch()
    monkeypatch.setattr(source_watch, "FRESH_SECONDS", 0.0)
    hashed.clear()
    assert {said(ticks.tick()) for _ in range(1000)} == {"tiny: unchanged"}
    assert len(hashed) == 1


def test_a_file_written_a_moment_ago_is_read_again(ticks, watch, hashed, project):
    watch()
    hashed.clear()
    (project / "reviews.csv").touch()
    ticks.tick()
    ticks.tick()
    assert len(hashed) == 2


def test_touching_copying_and_writing_the_same_bytes_start_nothing(ticks, watch, project):
    watch()
    file = project / "reviews.csv"
    content = file.read_bytes()

    def replaced() -> None:
        shutil.copy(file, project / "copy.csv")
        (project / "copy.csv").replace(file)

    changes = [file.touch, lambda: age(file), lambda: file.write_bytes(content), replaced, lambda: file.chmod(0o600)]
    for change in changes:
        change()
        assert [said(ticks.tick()) for _ in range(3)] == ["tiny: unchanged"] * 3


def test_bytes_changed_at_the_same_size_and_time_are_seen(ticks, watch, project, monkeypatch):
    from resources import source_watch

    monkeypatch.setattr(source_watch, "FRESH_SECONDS", 0.0)
    watch()
    ticks.tick()
    file = project / "reviews.csv"
    stat, content = file.stat(), file.read_bytes()
    file.write_bytes(content.replace(b"good", b"fine"))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.stat().st_size == stat.st_size and file.stat().st_mtime_ns == stat.st_mtime_ns
    ticks.tick()
    assert len(requests(ticks.tick())) == 1


def test_a_file_that_is_still_written_waits_until_it_is_whole(ticks, watch, project):
    watch()
    for row in range(6):
        append(project, f"{1000 + row},1.5,good film half wri")
        assert "a run starts when the next look finds the same" in said(ticks.tick())
    assert len(requests(ticks.tick())) == 1


def test_content_that_goes_back_starts_nothing_and_its_debounce_begins_again(ticks, watch, project):
    watch()
    file = project / "reviews.csv"
    before = file.read_bytes()
    append(project)
    after = file.read_bytes()
    for _ in range(3):
        file.write_bytes(after)
        assert "changed" in said(ticks.tick())
        file.write_bytes(before)
        assert said(ticks.tick()) == "tiny: unchanged"


def test_content_that_comes_back_after_other_content_was_used_is_new_again(graph, ticks, watch, project):
    watch()
    file = project / "reviews.csv"
    first = file.read_bytes()
    append(project)
    second = file.read_bytes()
    keys = []
    for content in (second, first, second):
        file.write_bytes(content)
        ticks.tick()
        (request,) = requests(ticks.tick())
        start(graph, request, dg.DagsterRunStatus.SUCCESS)
        assert graph.run(select="raw_data").success
        keys.append(request.run_key)
    assert len(set(keys)) == 3


def test_only_recipes_that_opt_in_and_were_materialized_are_looked_at(ticks, watch, project):
    watch(watch="false")
    assert said(ticks.tick()) == "no recipe has data.watch: true"
    watch("tiny-full", made=False)
    append(project)
    assert {said(ticks.tick()) for _ in range(3)} == {
        "tiny-full: nothing to compare with: raw_data was never materialized"
    }


def test_a_bad_recipe_and_a_source_that_is_gone_say_so_and_hold_up_no_other(ticks, watch, project):
    for name, source in (("tiny", "reviews.csv"), ("tiny-full", "other.csv"), ("tiny-qlora", "reviews.csv")):
        shutil.copy(project / "reviews.csv", project / "other.csv")
        watch(name, source=source)
    (project / "recipes" / "tiny-qlora.yaml").write_text("task: [")
    (project / "other.csv").unlink()
    line = said(ticks.tick())
    assert "tiny: unchanged" in line and "tiny-full: " in line and "no such file" in line
    assert "tiny-qlora: the recipe has a problem" in line
    append(project)
    ticks.tick()
    assert [request.partition_key for request in requests(ticks.tick())] == ["tiny"]


def test_a_run_of_another_recipe_holds_up_nothing(graph, ticks, watch, project):
    watch()
    append(project)
    other = {"dagster/partition": "tiny-full"}
    graph.instance.create_run_for_job(finetune_job(), tags=other, status=dg.DagsterRunStatus.STARTED)
    ticks.tick()
    assert len(requests(ticks.tick())) == 1


def test_a_new_file_below_a_pattern_is_new_content(ticks, watch, project):
    (project / "rows").mkdir()
    shutil.copy(project / "reviews.csv", project / "rows" / "a.csv")
    watch(source="'rows/*.csv'")
    assert said(ticks.tick()) == "tiny: unchanged"
    shutil.copy(project / "reviews.csv", project / "rows" / "b.csv")
    ticks.tick()
    assert len(requests(ticks.tick())) == 1
    assert json.loads(ticks.cursor)["tiny"]["seen"]
