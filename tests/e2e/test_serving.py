"""`luthier serve` under load, while the alias moves and while its processes are killed."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from luthier.errors import LuthierError
from luthier.serving.package import read_package
from tests.served import Registry, Served, answers, metrics, registry, serving, write_package
from tests.unit.packaging.tuned import TEXTS

CLIENTS = 8
VERSION = "x-luthier-model-version"
ASKED = [TEXTS[:1], TEXTS[1:2], TEXTS[2:], TEXTS]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Versions 1 and 2 answer differently, version 3 cannot be loaded, version 4 is asked otherwise."""
    folder = tmp_path_factory.mktemp("served")
    made = registry(folder)
    for seed in (1, 2):
        made.register(write_package("single", folder / f"seed-{seed}", seed=seed))
    broken = write_package("single", folder / "broken", seed=3)
    made.register(broken)
    (read_package(made.package("3")).model / "model.safetensors").write_bytes(b"cut off")
    made.register(write_package("answers", folder / "answers"))
    return made


@pytest.fixture
def expected(models: Registry) -> dict[str, list[list[dict[str, Any]]]]:
    found = {version: [answers(models.model(version), texts) for texts in ASKED] for version in ("1", "2")}
    for one, other in zip(*found.values(), strict=True):
        assert all(
            a["probability"] != pytest.approx(b["probability"], abs=1e-3) for a, b in zip(one, other, strict=True)
        )
    return found


class Load:
    """Clients that ask again as soon as they are answered, until the block ends."""

    def __init__(self, served: Served, expected: dict[str, list[list[dict[str, Any]]]]):
        self.served, self.expected = served, expected
        self.ended = threading.Event()
        self.versions: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> "Load":
        self.pool = ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self.client, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *raised: object) -> None:
        self.ended.set()
        self.pool.shutdown()
        for client in self.clients:
            client.result()

    def client(self, number: int) -> None:
        with requests.Session() as client:
            while not self.ended.is_set():
                number += 1
                self.ask(client, number % len(ASKED))

    def ask(self, client: requests.Session, place: int) -> None:
        body = {"dataframe_records": [{"text": text} for text in ASKED[place]]}
        try:
            response = client.post(f"{self.served.url}/invocations", json=body, timeout=60)
        except requests.ConnectionError as error:
            self.failed.append(repr(error))
            return
        if response.status_code != 200:
            self.failed.append(f"{response.status_code} {response.text}")
            return
        version = response.headers[VERSION]
        for found, right in zip(response.json()["predictions"], self.expected[version][place], strict=True):
            assert found["label"] == right["label"]
            assert found["probability"] == pytest.approx(right["probability"], abs=1e-5)
        self.versions.append(version)

    def until(self, count: int) -> None:
        """Waits for so many more answers."""
        wanted = len(self.versions) + count
        while len(self.versions) < wanted:
            assert not any(client.done() for client in self.clients), [client.result() for client in self.clients]


def test_no_request_is_lost_while_the_alias_moves_and_each_answer_is_that_of_its_version(models, expected):
    models.champion("1")
    with serving(models) as served, Load(served, expected) as load:
        load.until(20)
        for version in ("2", "1", "2"):
            models.champion(version)
            served.until_version(version)
            load.until(20)
        text = requests.get(f"{served.url}/metrics").text
    assert load.failed == []
    assert set(load.versions) == {"1", "2"} and load.versions[0] == "1" and load.versions[-1] == "2"
    found = metrics(text)
    assert found["luthier_serve_swaps_total"] == 3
    assert found['luthier_serve_model_info{model="tiny",version="2"}'] == 1
    assert found["luthier_serve_swap_failures_total"] == 0
    assert found["luthier_serve_batch_requests_count"] < found["luthier_serve_batch_requests_sum"]


def test_a_version_that_cannot_answer_changes_nothing_but_is_told_and_counted(models, expected):
    models.champion("1")
    with serving(models, breaks=True) as served, Load(served, expected) as load:
        for failures, version in enumerate(("3", "4"), start=1):
            models.champion(version)
            while served.version()["swap_failures"] < failures:
                load.until(1)
            assert f"version {version}" in served.version()["last_failure"]
            load.until(10)
        models.champion("2")
        served.until_version("2")
        load.until(10)
        assert metrics(requests.get(f"{served.url}/metrics").text)["luthier_serve_swap_failures_total"] == 2
        told = [line for line in served.lines() if "cannot answer" in line["message"]]
    assert load.failed == [] and set(load.versions) == {"1", "2"}
    assert len(told) == 2 and all(line["level"] == "error" and "exception" in line for line in told)


def test_a_version_that_was_named_stays_and_nothing_is_left_running(models):
    models.champion("1")
    with serving(models, "--version", "2") as served:
        models.champion("2")
        models.champion("1")
        assert served.version()["alias"] is None
        assert {served.ask(TEXTS).headers[VERSION] for _ in range(5)} == {"2"}
        started = psutil.Process(served.process.pid).children(recursive=True)
        assert len(started) >= 4
    assert not any(runs(process) for process in started)
    with pytest.raises(requests.ConnectionError):
        served.ask(TEXTS)


def runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def killed(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


def model_process(served: Served) -> psutil.Process:
    children = psutil.Process(served.process.pid).children(recursive=True)
    (found,) = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return found


def test_no_request_is_lost_when_the_model_process_is_killed_and_it_begins_with_the_version_before(models, expected):
    models.champion("1")
    with serving(models, "--timeout", "60") as served, Load(served, expected) as load:
        models.champion("2")
        served.until_version("2")
        for _ in range(2):
            load.until(20)
            seen = len(load.versions)
            killed(model_process(served))
            load.until(20)
            assert set(load.versions[seen + CLIENTS :]) == {"2"}
        assert metrics(requests.get(f"{served.url}/metrics").text)["luthier_serve_model_starts_total"] == 3
        assert requests.get(f"{served.url}/health").status_code == 200
    # What was with the killed process is asked again.
    assert load.failed == []


def test_the_whole_server_is_started_again_when_a_part_dies_that_nothing_works_without(models):
    models.champion("1")
    right = [row["label"] for row in answers(models.model("1"), TEXTS)]
    with serving(models, breaks=True) as served:
        for part in ("listens", "leads", "queues"):
            leader, found = parts(served)
            killed(found[part])
            leader.wait(timeout=60)
            answered = asked_again(served)
            assert [row["label"] for row in answered.json()["predictions"]] == right
            assert not any(runs(process) for process in found.values())


def parts(served: Served) -> tuple[psutil.Process, dict[str, psutil.Process]]:
    """LitServe's own process, by what it does, and that of its queues and the one that listens, forks of it."""
    (leader,) = psutil.Process(served.process.pid).children()
    forks = sorted((child for child in leader.children() if child.cmdline() == leader.cmdline()), key=lambda c: c.pid)
    return leader, {"leads": leader, **dict(zip(("queues", "listens"), forks, strict=True))}


def asked_again(served: Served) -> requests.Response:
    while True:
        try:
            return served.ask(TEXTS)
        except requests.ConnectionError:
            assert served.process.poll() is None, served.log.read_text()


def test_a_model_that_does_not_load_at_all_is_said_and_ends_the_command(models):
    models.champion("3")
    with pytest.raises(AssertionError) as raised, serving(models):
        pass
    assert "the model could not be served" in str(raised.value)


def test_a_model_without_a_champion_is_said(models):
    with pytest.raises(AssertionError, match="no version has the alias 'shadow'"), serving(models, "--alias", "shadow"):
        pass


def test_a_folder_that_is_no_package_is_named(tmp_path: Path):
    with pytest.raises(LuthierError, match=str(tmp_path)):
        read_package(tmp_path)
