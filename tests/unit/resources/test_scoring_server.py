"""MLflow's scoring server on real packages: what it answers, what it leaves behind, how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from luthier.digest import folder_digests
from luthier.errors import LuthierError
from resources.package import ask_package
from resources.scoring_server import prepare_server, serve_package
from tests.unit.packaging.tuned import TEXTS
from tests.unit.resources.test_package import packaged

ROWS = pa.table({"text": TEXTS})
HOLDS = """
import os, sys
from pathlib import Path
from resources.scoring_server import serve_package
with serve_package(Path(sys.argv[1])):
    print("UP", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaged(tmp_path_factory.mktemp("served") / "made")[1]


def servers(process: int) -> list[psutil.Process]:
    """The starter that a process has, and the servers that it started."""
    children = psutil.Process(process).children(recursive=True)
    return [child for child in children if "scoring_starter.py" in " ".join(child.cmdline())]


def test_the_server_answers_over_http_what_the_package_answers_and_leaves_it_as_it_was(package):
    before = folder_digests(package)
    expected = ask_package(package)(ROWS)
    with serve_package(package) as ask:
        received = ask(ROWS)
        assert ask(ROWS.slice(1, 1))[0]["label"] == expected[1]["label"]
        assert len(servers(os.getpid())) == 2
    assert [row.keys() for row in received] == [{"label", "probability"}] * len(TEXTS)
    for wanted, given in zip(expected, received, strict=True):
        assert given == pytest.approx(wanted, abs=1e-6)
    assert folder_digests(package) == before
    assert len(servers(os.getpid())) == 1


def test_the_luthier_in_the_package_answers_and_not_this_one(package, tmp_path):
    import shutil

    changed = shutil.copytree(package, tmp_path / "changed")
    serving = changed / "code" / "luthier" / "packaging" / "serving.py"
    serving.write_text(serving.read_text().replace('"label": answer, "probability"', '"label": "mine", "probability"'))
    with serve_package(changed) as ask:
        assert {row["label"] for row in ask(ROWS)} == {"mine"}


def test_a_server_that_does_not_come_up_shows_its_log_and_is_gone(package, tmp_path):
    import shutil

    broken = shutil.copytree(package, tmp_path / "broken")
    (broken / "artifacts" / "model" / "model.safetensors").unlink()
    with (
        pytest.raises(LuthierError, match=r"does not answer[\s\S]*no file named model.safetensors"),
        serve_package(broken),
    ):
        pass
    assert len(servers(os.getpid())) == 1


def test_rows_that_are_refused_say_why_and_an_error_in_the_block_stops_the_server_too(package):
    with pytest.raises(LuthierError, match=r"refuses[\s\S]*has no text"), serve_package(package) as ask:
        ask(pa.table({"text": [" "]}))
    with pytest.raises(ZeroDivisionError), serve_package(package):
        1 / 0  # noqa: B018
    assert len(servers(os.getpid())) == 1


def test_one_process_pays_the_imports_once_and_a_starter_that_died_is_replaced(package):
    prepare_server()
    (first,) = servers(os.getpid())
    with serve_package(package) as ask:
        assert len(ask(ROWS)) == len(TEXTS)
    assert servers(os.getpid()) == [first]
    first.kill()
    first.wait()
    with serve_package(package) as ask:
        assert len(ask(ROWS)) == len(TEXTS)
    (second,) = servers(os.getpid())
    assert second != first


def test_nothing_outlives_a_process_that_is_killed(package):
    command = [sys.executable, "-c", HOLDS, str(package)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"UP\n"
        started = servers(holder.pid)
        ports = [place.laddr.port for each in started for place in each.net_connections() if place.status == "LISTEN"]
        assert len(started) == 2 and len(ports) == 1
        holder.send_signal(signal.SIGKILL)
        psutil.wait_procs(started)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0
