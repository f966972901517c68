"""Tiny packages in a registry of their own, and `luthier serve` on one of them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests

from luthier.packaging.merging import write_servable
from luthier.packaging.serving import ServedModel
from luthier.serving.package import read_package
from resources.package import save_package
from resources.served_version import ServedVersion
from resources.tracking import Tracking
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, rows, tuned

MODEL = "tiny"
ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 180
# Without a pause whoever waits takes a core from what is waited for.
LOOK_SECONDS = 0.05
RECIPE = """task: text-classification
data: {source: reviews.csv, columns: {text: text, label: label}, labels: [bad, good]}
base_model: {source: /nowhere}
"""


@dataclass(frozen=True)
class Registry:
    """A home with a recipe, whose model has versions."""

    folder: Path

    @property
    def tracking(self) -> Tracking:
        return Tracking(home=str(self.folder / "home"), uri=f"sqlite:///{self.folder / 'home' / 'mlflow.db'}")

    @property
    def environment(self) -> dict[str, str]:
        ours = {"LUTHIER_HOME": str(self.folder / "home"), "LUTHIER_RECIPES": str(self.folder / "recipes")}
        kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        return {**kept, **ours, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

    def register(self, package: Path) -> str:
        """The package as the next version."""
        client = self.tracking.store.client
        experiment = client.get_experiment_by_name("served")
        place = str(self.folder / "mlartifacts")
        made = experiment.experiment_id if experiment else client.create_experiment("served", artifact_location=place)
        run = client.create_run(made).info.run_id
        return self.tracking.register_model(package, name=MODEL, mlflow_run_id=run, tags={}, metrics={})

    def champion(self, version: str) -> None:
        aliases = self.tracking.aliases(MODEL)
        aliases.promote(version, over=aliases.champion, reason="a test", by="a test")

    def package(self, version: str) -> Path:
        return Path(ServedVersion(self.tracking.registry, MODEL, self.folder, version=version).find().folder)

    @property
    def predictions(self) -> Path:
        """Where the answers of the model are kept, once ``keep_predictions`` was called."""
        return self.folder / "home" / "predictions" / MODEL

    def keep_predictions(self) -> None:
        """Its recipe asks for it from now on."""
        recipe = self.folder / "recipes" / f"{MODEL}.yaml"
        recipe.write_text(f"{RECIPE}serve: {{log_predictions: 1.0}}\n")

    def model(self, version: str) -> ServedModel:
        """What the version answers, without a server."""
        return read_package(self.package(version)).load()


def registry(folder: Path) -> Registry:
    (folder / "home").mkdir(parents=True)
    (folder / "recipes").mkdir()
    (folder / "recipes" / f"{MODEL}.yaml").write_text(RECIPE)
    return Registry(folder)


def write_package(kind: str, folder: Path, *, seed: int = 0, max_new_tokens: int = 24, **settings: Any) -> Path:
    """A package of a tiny model of ``ASKED``; other seeds answer otherwise."""
    task, family = ASKED[kind]
    folder.mkdir(parents=True)
    base = write_tiny_model(family, folder / "base", seed=seed, chat=True)
    made = tuned(base, HEADS[kind], folder / "tuned", kind="lora", **settings)
    write_servable(made.method, made.base, made.folder, made.head, folder / "plain")
    columns: dict[str, list[Any]] = {}
    if kind == "answers":
        columns["pair"] = ["what was it?"] * len(TEXTS)
    if kind == "causal":
        columns["messages"] = [json.dumps([{"role": "user", "content": text}]) for text in TEXTS]
    how = replace(made.serving(task), max_new_tokens=max_new_tokens)
    save_package(folder / "plain", folder / "package", how, rows(**columns))
    return folder / "package"


def answers(model: ServedModel, texts: list[str]) -> list[dict[str, Any]]:
    return model.answers(pa.table({"text": texts})).to_pylist()


@dataclass(frozen=True)
class Served:
    """A server; ``log`` is the file that it writes."""

    port: int
    process: subprocess.Popen
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, texts: list[str], **options: Any) -> requests.Response:
        body = {"dataframe_records": [{"text": text} for text in texts]}
        return requests.post(f"{self.url}/invocations", json=body, timeout=60, **options)

    def version(self) -> dict[str, Any]:
        return requests.get(f"{self.url}/version", timeout=60).json()

    def until_version(self, version: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.version()["version"] != version:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(LOOK_SECONDS)

    def lines(self) -> list[dict[str, Any]]:
        """What was logged as JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def serving(
    found: Registry, *options: str, breaks: bool = False, stop: int = signal.SIGINT, **environment: str
) -> Iterator[Served]:
    """`luthier serve`, once it answers; it ends with the block, by one signal, and silently unless something breaks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = found.folder / f"{port}.log"
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "serve", MODEL, "--port", str(port)]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--every", "0.2", *options],
            env={**found.environment, **environment},
            stdout=file,
            stderr=file,
            cwd=ROOT,
            start_new_session=True,
        )
    served = Served(port, process, log)
    try:
        _wait_until_answered(served)
        yield served
    finally:
        process.send_signal(stop)
        code = process.wait(timeout=60)
    assert code == 0, f"ended with code {code}:\n{log.read_text()}"
    assert breaks or "Traceback" not in log.read_text(), log.read_text()


def _wait_until_answered(served: Served) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert served.process.poll() is None, served.log.read_text()
        try:
            with urllib.request.urlopen(f"{served.url}/ping", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(LOOK_SECONDS)
    raise AssertionError(served.log.read_text())


def metrics(text: str) -> Mapping[str, float]:
    """Prometheus' numbers by name and labels."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}
