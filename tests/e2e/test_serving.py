"""`luthier serve` under load, while the alias moves and while its processes are killed."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pyarrow.parquet as pq
import pytest
import requests

from luthier.errors import LuthierError
from luthier.serving.package import read_package
from tests.served import LOOK_SECONDS, Registry, Served, answers, metrics, registry, serving, write_package
from tests.unit.packaging.tuned import TEXTS

CLIENTS = 8
VERSION = "x-luthier-model-version"
ASKED = [TEXTS[:1], TEXTS[1:2], TEXTS[2:], TEXTS]

Expected = dict[str, list[list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Versions 1 and 2 answer differently, version 3 cannot be loaded, version 4 is asked otherwise."""
    folder = tmp_path_factory.mktemp("served")
    made = registry(folder)
    one, two = (write_package("single", folder / f"seed-{seed}", seed=seed) for seed in (1, 2))
    for package in (one, two, one, write_package("answers", folder / "answers")):
        made.register(package)
    (read_package(made.package("3")).model / "model.safetensors").write_bytes(b"cut off")
    return made


@pytest.fixture(scope="module")
def served(models: Registry) -> Iterator[Served]:
    """One server through all that happens to it. The alias may stand at a version that cannot answer."""
    models.champion("1")
    with serving(models, "--timeout", "60", breaks=True) as found:
        yield found


@pytest.fixture(scope="module")
def expected(models: Registry) -> Expected:
    found = {version: [answers(models.model(version), texts) for texts in ASKED] for version in ("1", "2")}
    for one, other in zip(*found.values(), strict=True):
        assert all(
            a["probability"] != pytest.approx(b["probability"], abs=1e-3) for a, b in zip(one, other, strict=True)
        )
    return found


class Asked(NamedTuple):
    """One of ``ASKED``, when, and the version that answered or what went wrong."""

    place: int
    began: float
    ended: float
    said: str


class Load:
    """Clients that ask again as soon as they are answered, until the block ends; a lost connection they make anew."""

    def __init__(self, served: Served, expected: Expected):
        self.served, self.expected = served, expected
        self.ended = threading.Event()
        self.answered: list[Asked] = []
        self.failed: list[Asked] = []

    def __enter__(self) -> "Load":
        self.pool = ThreadPoolExecutor(CLIENTS)
        self.clients = [self.pool.submit(self.client, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *raised: object) -> None:
        self.ended.set()
        self.pool.shutdown()
        for client in self.clients:
            client.result()

    @property
    def versions(self) -> list[str]:
        """Of each answer, in their order."""
        return [asked.said for asked in self.answered]

    def client(self, number: int) -> None:
        with requests.Session() as client:
            while not self.ended.is_set():
                number += 1
                self.ask(client, number % len(ASKED))

    def ask(self, client: requests.Session, place: int) -> None:
        body = {"dataframe_records": [{"text": text} for text in ASKED[place]]}
        began = time.monotonic()
        try:
            response = client.post(f"{self.served.url}/invocations", json=body, timeout=60)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            self.failed.append(Asked(place, began, time.monotonic(), repr(error)))
            time.sleep(LOOK_SECONDS)
            return
        ended = time.monotonic()
        if response.status_code != 200:
            self.failed.append(Asked(place, began, ended, f"{response.status_code} {response.text}"))
            return
        version = response.headers[VERSION]
        for found, right in zip(response.json()["predictions"], self.expected[version][place], strict=True):
            assert found["label"] == right["label"]
            assert found["probability"] == pytest.approx(right["probability"], abs=1e-5)
        self.answered.append(Asked(place, began, ended, version))

    def until(self, count: int, *, asked_after: float = 0.0) -> list[Asked]:
        """Waits for so many more answers, to what was asked after a moment; gives them."""
        before = len(self.answered)
        while True:
            found = [asked for asked in self.answered[before:] if asked.began > asked_after]
            if len(found) >= count:
                return found
            assert not any(client.done() for client in self.clients), [client.result() for client in self.clients]
            assert self.served.process.poll() is None, self.served.log.read_text()
            time.sleep(LOOK_SECONDS)


def numbers(served: Served) -> Mapping[str, float]:
    return metrics(requests.get(f"{served.url}/metrics").text)


def test_no_request_is_lost_while_the_alias_moves_and_each_answer_is_that_of_its_version(models, served, expected):
    with Load(served, expected) as load:
        load.until(20)
        for version in ("2", "1", "2"):
            models.champion(version)
            served.until_version(version)
            load.until(20)
    assert load.failed == []
    assert set(load.versions) == {"1", "2"} and load.versions[0] == "1" and load.versions[-1] == "2"
    found = numbers(served)
    assert found["luthier_serve_swaps_total"] == 3
    assert found['luthier_serve_model_info{model="tiny",version="2"}'] == 1
    assert found["luthier_serve_swap_failures_total"] == 0
    assert found["luthier_serve_batch_requests_count"] < found["luthier_serve_batch_requests_sum"]
    assert "Traceback" not in served.log.read_text()


def test_a_version_that_cannot_answer_changes_nothing_but_is_told_and_counted(models, served, expected):
    models.champion("1")
    served.until_version("1")
    with Load(served, expected) as load:
        for failures, version in enumerate(("3", "4"), start=1):
            models.champion(version)
            while served.version()["swap_failures"] < failures:
                load.until(1)
            assert f"version {version}" in served.version()["last_failure"]
            load.until(10)
        models.champion("2")
        served.until_version("2")
        load.until(10)
        assert numbers(served)["luthier_serve_swap_failures_total"] == 2
        told = [line for line in served.lines() if "cannot answer" in line["message"]]
    assert load.failed == [] and set(load.versions) == {"1", "2"}
    assert len(told) == 2 and all(line["level"] == "error" and "exception" in line for line in told)


def test_what_was_answered_is_kept_when_the_server_is_told_to_end_and_nothing_is_left_running(models, expected):
    models.champion("1")
    models.keep_predictions()
    with ExitStack() as afterwards, serving(models, "--version", "2", stop=signal.SIGTERM) as served:
        models.champion("2")
        models.champion("1")
        assert served.version()["alias"] is None
        started = psutil.Process(served.process.pid).children(recursive=True)
        assert len(started) >= 4
        # The log of a process that was started again is as good as that of the first.
        killed(model_process(served))
        load = afterwards.enter_context(Load(served, expected))
        load.until(50)
        started += psutil.Process(served.process.pid).children(recursive=True)
    assert not any(runs(process) for process in started)
    with pytest.raises(requests.ConnectionError):
        served.ask(TEXTS)
    assert set(load.versions) == {"2"} and all("Connection" in asked.said for asked in load.failed)
    kept = pq.read_table(models.predictions).to_pylist()
    answered = Counter(text for asked in load.answered for text in ASKED[asked.place])
    assert Counter(row["text"] for row in kept) == answered
    right = dict(zip(TEXTS, expected["2"][ASKED.index(TEXTS)], strict=True))
    for row in kept:
        assert (row["label"], row["version"]) == (right[row["text"]]["label"], "2")
        assert row["probability"] == pytest.approx(right[row["text"]]["probability"], abs=1e-5)
    assert all(path.suffix == ".parquet" and path.name[0] != "." for path in models.predictions.iterdir())


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def killed(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


def model_process(served: Served) -> psutil.Process:
    children = psutil.Process(served.process.pid).children(recursive=True)
    (found,) = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return found


def test_no_request_is_lost_when_the_model_process_is_killed_and_it_begins_with_the_version_before(
    models, served, expected
):
    models.champion("2")
    served.until_version("2")
    starts, failures = numbers(served)["luthier_serve_model_starts_total"], served.version()["swap_failures"]
    with Load(served, expected) as load:
        load.until(20)
        # What the alias names now is not what answered.
        models.champion("3")
        while served.version()["swap_failures"] == failures:
            load.until(1)
        for _ in range(2):
            killed(model_process(served))
            load.until(20 + CLIENTS)
        assert numbers(served)["luthier_serve_model_starts_total"] == starts + 2
        assert requests.get(f"{served.url}/health").status_code == 200
    # What was with the killed process is asked again.
    assert load.failed == [] and set(load.versions) == {"2"}


def test_the_whole_server_is_started_again_when_a_part_dies_and_only_what_is_asked_meanwhile_is_lost(
    models, served, expected
):
    models.champion("1")
    served.until_version("1")
    outages: list[tuple[float, float]] = []
    with Load(served, expected) as load:
        for part, version in (("listens", "2"), ("leads", "1"), ("queues", "2")):
            load.until(20)
            found = parts(served)
            died = time.monotonic()
            killed(found[part])
            # The alias moves while nobody listens.
            models.champion(version)
            until_ended(found.values())
            back = min(asked.ended for asked in load.until(1, asked_after=time.monotonic()))
            outages.append((died, back))
            served.until_version(version)
            assert {asked.said for asked in load.until(20, asked_after=time.monotonic())} == {version}
    assert load.failed and all("Connection" in asked.said for asked in load.failed), load.failed
    for asked in load.failed:
        assert any(died < asked.ended and asked.began < back for died, back in outages), (asked, outages)
    assert all(sum(asked.began < died < asked.ended for asked in load.failed) <= CLIENTS for died, _ in outages)


def parts(served: Served) -> dict[str, psutil.Process]:
    """LitServe's own process, by what it does, and that of its queues and the one that listens, forks of it."""
    (leader,) = psutil.Process(served.process.pid).children()
    forks = sorted((child for child in leader.children() if child.cmdline() == leader.cmdline()), key=lambda c: c.pid)
    return {"leads": leader, **dict(zip(("queues", "listens"), forks, strict=True))}


def until_ended(processes: Iterable[psutil.Process]) -> None:
    deadline = time.monotonic() + 60
    while any(runs(process) for process in processes):
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)


def test_a_server_whose_luthier_serve_was_killed_ends(models):
    models.champion("1")
    with pytest.raises(AssertionError, match="ended with code -9"), serving(models) as served:
        started = psutil.Process(served.process.pid).children(recursive=True)
        killed(psutil.Process(served.process.pid))
    until_ended(started)


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
