"""What is logged is whole, sampled as asked and never costs a request."""

import errno
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.serving import prediction_log
from luthier.serving.prediction_log import PredictionLog


def rows(count: int, start: int = 0) -> pa.Table:
    return pa.table({"text": [f"text {row}" for row in range(start, start + count)]})


def answers(count: int) -> pa.Table:
    return pa.table({"label": ["good"] * count, "probability": [0.9] * count})


def logged(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob("*.parquet")))


def wait_for(files: int, folder: Path) -> list[Path]:
    while len(found := sorted(folder.glob("*.parquet"))) < files:
        time.sleep(0.01)
    return found


def test_what_was_asked_and_answered_is_kept_with_version_and_time(tmp_path):
    before = datetime.now(UTC)
    with PredictionLog(tmp_path / "log", share=1.0) as log:
        log.record(rows(3), answers(3), version="7")
        log.record(pa.table({"messages": ["[]"]}), answers(1), version="8")
    found = logged(tmp_path / "log")
    assert found.column_names == ["text", "pair", "messages", "label", "probability", "version", "time"]
    assert found["text"].to_pylist() == ["text 0", "text 1", "text 2", None]
    assert found["messages"].to_pylist() == [None, None, None, "[]"]
    assert found["version"].to_pylist() == ["7", "7", "7", "8"] and found["pair"].null_count == 4
    assert all(before <= when <= datetime.now(UTC) for when in found["time"].to_pylist())


def test_a_share_is_drawn_row_by_row_and_the_same_by_the_same_seed(tmp_path):
    for name, seed in (("a", 17), ("b", 17), ("c", 18)):
        with PredictionLog(tmp_path / name, share=0.2, seed=seed) as log:
            for start in range(0, 5000, 10):
                log.record(rows(10, start), answers(10), version="1")
    found = {name: logged(tmp_path / name)["text"].to_pylist() for name in "abc"}
    assert 850 < len(found["a"]) < 1150 and found["a"] == found["b"] != found["c"]


def test_nothing_is_made_where_nothing_is_to_be_kept(tmp_path):
    with PredictionLog(tmp_path / "log", share=0.0) as log:
        log.record(rows(3), answers(3), version="1")
    with PredictionLog(tmp_path / "log", share=1.0) as log:
        pass
    log.record(rows(3), answers(3), version="1")
    assert not (tmp_path / "log").exists()


def test_files_are_ended_by_rows_by_bytes_and_by_time(tmp_path, monkeypatch):
    with PredictionLog(tmp_path / "rows", share=1.0, rotate_rows=100) as log:
        for _ in range(5):
            log.record(rows(60), answers(60), version="1")
            log.record(rows(60), answers(60), version="1")
            wait_for(1, tmp_path / "rows")
    sizes = [pq.read_metadata(path).num_rows for path in sorted((tmp_path / "rows").glob("*"))]
    assert sum(sizes) == 600 and len(sizes) > 1
    with monkeypatch.context() as small, PredictionLog(tmp_path / "bytes", share=1.0) as log:
        small.setattr(prediction_log, "ROTATE_BYTES", 1000)
        log.record(rows(100), answers(100), version="1")
        wait_for(1, tmp_path / "bytes")
    with PredictionLog(tmp_path / "time", share=1.0, rotate_seconds=0.05) as log:
        log.record(rows(2), answers(2), version="1")
        wait_for(1, tmp_path / "time")
        log.record(rows(3), answers(3), version="1")
        wait_for(2, tmp_path / "time")
    assert len(logged(tmp_path / "time")) == 5


def test_after_a_swap_of_models_answers_of_two_forms_are_both_kept(tmp_path):
    with PredictionLog(tmp_path / "log", share=1.0) as log:
        log.record(rows(2), answers(2), version="1")
        log.record(rows(2), pa.table({"value": [0.5, 0.7]}), version="2")
    assert sorted(pq.read_metadata(path).num_rows for path in (tmp_path / "log").glob("*")) == [2, 2]


def test_threads_and_processes_share_a_folder_and_nothing_is_lost_or_half_seen(tmp_path):
    script = (
        "import sys, pathlib; from tests.unit.serving.test_prediction_log import *\n"
        "with PredictionLog(pathlib.Path(sys.argv[1]), share=1.0, rotate_rows=50) as log:\n"
        "    threads = [threading.Thread(target=lambda: [log.record(rows(5), answers(5), version='1') "
        "for _ in range(100)]) for _ in range(4)]\n"
        "    [thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "assert log.dropped == 0\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "log")]) for _ in range(2)]
    seen = 0
    while any(process.poll() is None for process in processes):
        for path in (tmp_path / "log").glob("*.parquet"):
            seen += pq.read_metadata(path).num_rows > 0
    assert [process.wait() for process in processes] == [0, 0] and seen
    assert len(logged(tmp_path / "log")) == 2 * 4 * 100 * 5


def test_a_process_that_is_killed_leaves_no_file_that_is_not_whole(tmp_path):
    script = (
        "import sys, pathlib; from tests.unit.serving.test_prediction_log import *\n"
        "with PredictionLog(pathlib.Path(sys.argv[1]), share=1.0, rotate_rows=5) as log:\n"
        "    while True: log.record(rows(5), answers(5), version='1')\n"
    )
    for kills in range(1, 5):
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "log")])
        found = wait_for(kills * 10, tmp_path / "log")
        process.kill()
        process.wait()
        assert all(pq.read_table(path).num_rows % 5 == 0 for path in found)
    assert len(logged(tmp_path / "log")) >= 4 * 5


def test_a_full_disk_costs_rows_and_says_so_and_later_rows_are_kept(tmp_path, monkeypatch, caplog):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PredictionLog(tmp_path / "log", share=1.0, rotate_rows=10) as log:
        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            patched.setattr(prediction_log.pq, "write_table", full)
            log.record(rows(12), answers(12), version="1")
            while log.dropped < 12:
                time.sleep(0.01)
        log.record(rows(11), answers(11), version="1")
    assert "12 answers were not logged, 12 so far" in caplog.text and "No space left" in caplog.text
    assert len(logged(tmp_path / "log")) == 11 and not list((tmp_path / "log").glob(".*"))


def test_a_folder_that_cannot_be_made_and_rows_that_do_not_fit_fail_no_request(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    with PredictionLog(tmp_path / "file" / "log", share=1.0) as log:
        log.record(rows(2), answers(2), version="1")
    assert log.dropped == 2
    with PredictionLog(tmp_path / "log", share=1.0) as log:
        log.record(rows(1), answers(3), version="1")
    assert log.dropped == 3 and "answers could not be logged" in caplog.text


def test_what_the_disk_is_too_slow_for_is_dropped_and_told_each_time_that_it_begins(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(prediction_log, "MOST_BYTES", 10_000)
    writing, released, write = threading.Event(), threading.Event(), pq.write_table

    def wait(*given: object) -> None:
        writing.set()
        released.wait()
        write(*given)

    monkeypatch.setattr(prediction_log.pq, "write_table", wait)
    with caplog.at_level(logging.WARNING), PredictionLog(tmp_path / "log", share=1.0, rotate_rows=1) as log:
        for times in (1, 2):
            released.clear()
            writing.clear()
            log.record(rows(10), answers(10), version="1")
            writing.wait()
            before = log.dropped
            for _ in range(199):
                log.record(rows(10), answers(10), version="1")
            assert before < log.dropped < 2000 * times
            assert caplog.text.count("answers are not logged till the disk keeps up") == times
            released.set()
            while sum(map(len, map(pq.read_table, (tmp_path / "log").glob("*.parquet")))) + log.dropped < 2000 * times:
                time.sleep(0.01)
    assert len(logged(tmp_path / "log")) + log.dropped == 4000


@pytest.mark.parametrize(("days", "left"), [(30, 2), (None, 3)])
def test_files_go_when_their_days_are_over(tmp_path, days, left):
    for name, age in (("new", 29), ("old", 31), (".half.tmp", 2)):
        path = tmp_path / (name if name.startswith(".") else f"{name}.parquet")
        path.write_bytes(b"")
        when = (datetime.now() - timedelta(days=age)).timestamp()
        os.utime(path, (when, when))
    with PredictionLog(tmp_path, share=1.0, days=days) as log:
        log.record(rows(1), answers(1), version="1")
    assert len(list(tmp_path.iterdir())) == left and (tmp_path / "new.parquet").exists()
