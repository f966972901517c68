"""A server that dies is started again; one that never answered is not."""

import errno
import sys
from pathlib import Path

import pytest

from luthier.errors import LuthierError
from luthier.serving.control import Control, State, Target
from luthier.serving.supervisor import Supervisor

ONE, TWO = Target("1", "/one"), Target("2", "/two")


def control(folder: Path) -> Control:
    made = Control(folder)
    made.aim_at(ONE)
    return made


def counting(folder: Path) -> list[str]:
    """A server that says that it was started, answers, and dies."""
    state = State(ONE, process=1)
    script = (
        "import sys; from pathlib import Path; from luthier.serving.control import Control, State, Target;"
        f"Control(Path({str(folder)!r})).report({state!r});"
        f"open({str(folder / 'starts')!r}, 'a').write('x'); sys.exit(3)"
    )
    return [sys.executable, "-c", script]


def test_a_server_that_never_answered_ends_the_supervisor_with_its_code(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit(9)"]
    assert Supervisor(control(tmp_path), None, every=0.05, command=command).run() == 9


def test_a_server_that_dies_is_started_again_until_the_supervisor_is_stopped(tmp_path):
    def find() -> Target:
        if len((tmp_path / "starts").read_text()) >= 3:
            raise KeyboardInterrupt
        return ONE

    (tmp_path / "starts").touch()
    assert Supervisor(control(tmp_path), find, every=0.05, command=counting(tmp_path)).run() == 0
    assert len((tmp_path / "starts").read_text()) >= 3


def test_the_target_follows_the_alias_and_a_registry_or_a_disk_that_is_away_changes_nothing(tmp_path, caplog):
    made = control(tmp_path)
    away = LuthierError("MLflow is unreachable")
    found = iter([ONE, away, away, OSError(errno.ENOSPC, "No space left on device"), TWO])
    aimed: list[str] = []

    def find() -> Target:
        aimed.append(made.target.version)
        answer = next(found, KeyboardInterrupt())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    with caplog.at_level("INFO", logger="luthier.serving.supervisor"):
        assert Supervisor(made, find, every=0.02, command=sleeper).run() == 0
    assert aimed == ["1", "1", "1", "1", "1", "2"]
    said = [record.getMessage() for record in caplog.records]
    assert ["cannot be had" in line for line in said] == [True, True, False]
    assert "unreachable" in said[0] and "No space left" in said[1]
    assert "names version 2, before it version 1" in said[2]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_target_is_read_as_it_was_written(tmp_path, version):
    made = Control(tmp_path)
    made.aim_at(Target(version, "/a folder"))
    assert made.target == Target(version, "/a folder")
    assert made.state is None and made.first == made.target


def test_a_process_begins_with_what_answered_last_whatever_is_aimed_at_meanwhile(tmp_path):
    made = control(tmp_path)
    state = State(ONE, process=7).not_swapped(TWO, ValueError("cut off"))
    made.aim_at(TWO)
    made.report(state)
    assert made.state == state and made.first == ONE
    assert (state.failures, state.failed, state.swaps) == (1, "version 2: cut off", 0)
    after = state.started_again(8).swapped(TWO)
    assert (after.version, after.process, after.starts, after.swaps, after.failures) == ("2", 8, 2, 1, 1)
