"""Requests per second and latency of ``luthier serve``, beside ``mlflow models serve`` on the same package.

python benchmarks/serving_speed.py [--rounds N] [--seconds S] [--model reviews]

Serves the champion of ``--model`` where LUTHIER_HOME has one; else MiniLM with a random head.
Each request is one review. All servers are up, one is asked at a time, and they take turns in every round.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = (1, 4, 16)
TARGET = 3.0
OURS, ROUNDED, MLFLOW = "luthier serve", "the same, bfloat16", "mlflow models serve"
LABELS = ("negative", "positive")


@dataclass(frozen=True)
class Measured:
    """Of one server with a number of clients; milliseconds, those of ``processor`` for each request."""

    requests_per_second: float
    p50: float
    p99: float
    processor: float


@dataclass(frozen=True)
class Server:
    """A way to serve, in processes of its own."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def processor_seconds(self) -> float:
        """What all of its processes have used so far."""
        leader = psutil.Process(self.process.pid)
        used = [process.cpu_times() for process in (leader, *leader.children(recursive=True))]
        return sum(times.user + times.system for times in used)


def reviews() -> list[str]:
    """Real ones, from the recipe ``reviews``."""
    from luthier.data.raw import RawSource, write_raw_data
    from luthier.recipe.loading import load_recipe
    from luthier.sources import Access, fetch
    from resources.home import luthier_home

    recipe = load_recipe(ROOT / "recipes" / "reviews.yaml").recipe
    rows = RawSource(fetch(recipe.data.address, Access(downloads=luthier_home() / "downloads", root=ROOT)))
    with tempfile.TemporaryDirectory() as folder:
        write_raw_data([rows], Path(folder), required_columns=recipe.data.columns.required)
        import pyarrow.parquet as pq

        return pq.read_table(Path(folder) / "rows.parquet", columns=["text"])["text"].to_pylist()[:2000]


def random_champion(model: str, home: Path) -> None:
    """MiniLM with a head that was never trained, registered as the champion of ``home``."""
    import pyarrow as pa
    import torch

    from luthier.models.loading import load_model, load_tokenizer
    from luthier.models.snapshot import write_base_model
    from luthier.packaging.serving import Serving
    from luthier.recipe.loading import load_recipe
    from luthier.sources import Access, fetch
    from luthier.tasks.head import Head
    from resources.package import save_package
    from resources.tracking import Tracking

    recipe = load_recipe(ROOT / "recipes" / "reviews.yaml").recipe
    base, plain, package = home / "base", home / "plain", home / "package"
    base.mkdir()
    write_base_model(fetch(recipe.base_model.source, Access(downloads=home / "downloads", root=ROOT)), base)
    head = Head("sequence-classification", LABELS, "single_label_classification")
    torch.manual_seed(0)
    load_model(base, head, dtype=torch.float32, attention="eager").save_pretrained(plain)
    load_tokenizer(base).save_pretrained(plain)
    empty = pa.nulls(2, pa.string())
    rows = pa.table({"text": ["a fine film", "a dull one"], "pair": empty, "messages": empty, "label": empty})
    save_package(plain, package, Serving(recipe.task, head, recipe.training.max_length, 1), rows)
    tracking = Tracking(home=str(home))
    client = tracking.store.client
    run = client.create_run(client.create_experiment("benchmark", artifact_location=str(home / "mlartifacts")))
    version = tracking.register_model(package, name=model, mlflow_run_id=run.info.run_id, tags={}, metrics={})
    tracking.aliases(model).promote(version, over=None, reason="it is measured", by="the benchmark")


def start(command: list[str], port: int, log: Path) -> Server:
    # MLflow looks for uvicorn on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env={**os.environ, "PATH": path})
    while True:
        if server.poll() is not None:
            raise SystemExit(log.read_text()[-3000:])
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)
            return Server(port, server)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def load(server: Server, texts: list[str], clients: int, seconds: float) -> Measured:
    """Each client asks again as soon as it is answered. They write and read bytes: little of the cores is theirs."""
    latencies: list[float] = []
    used, began = server.processor_seconds, time.perf_counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        place = number
        while time.perf_counter() - began < seconds:
            asked = time.perf_counter()
            body = json.dumps({"dataframe_records": [{"text": texts[place % len(texts)]}]}).encode()
            head = f"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            fields = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:] if line)
            assert b"predictions" in await reader.readexactly(int(fields[b"content-length"]))
            latencies.append(time.perf_counter() - asked)
            place += clients
        writer.close()

    await asyncio.gather(*map(client, range(clients)))
    taken = time.perf_counter() - began
    processor = 1000 * (server.processor_seconds - used) / len(latencies)
    cuts = statistics.quantiles(latencies, n=100)
    return Measured(len(latencies) / taken, 1000 * cuts[49], 1000 * cuts[98], processor)


def compare(servers: dict[str, Server], texts: list[str], rounds: int, seconds: float) -> float:
    """Prints medians by number of clients; gives the ratio of the first way to MLflow's at the most clients."""
    found: dict[tuple[str, int], list[Measured]] = {}
    for server in servers.values():
        asyncio.run(load(server, texts, 4, min(seconds, 5.0)))
    for _ in range(rounds):
        for clients in CLIENTS:
            for way, server in servers.items():
                found.setdefault((way, clients), []).append(asyncio.run(load(server, texts, clients, seconds)))
    for clients in CLIENTS:
        for way in servers:
            ratios = ratios_of(found[(way, clients)], found[(MLFLOW, clients)])
            by_round = "" if way == MLFLOW else "   x MLflow by round " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"{clients:3} clients  {way:<20} {shown(found[(way, clients)])}{by_round}")
    return statistics.median(ratios_of(found[(OURS, CLIENTS[-1])], found[(MLFLOW, CLIENTS[-1])]))


def ratios_of(ours: list[Measured], theirs: list[Measured]) -> list[float]:
    return [one.requests_per_second / other.requests_per_second for one, other in zip(ours, theirs, strict=True)]


def shown(rounds: list[Measured]) -> str:
    def median(value: Callable[[Measured], float]) -> float:
        return statistics.median(map(value, rounds))

    speed, processor = median(lambda m: m.requests_per_second), median(lambda m: m.processor)
    latency = f"p50 {median(lambda m: m.p50):6.1f} ms   p99 {median(lambda m: m.p99):6.1f} ms"
    return f"{speed:7.1f} requests/s   {latency}   processor {processor:5.1f} ms"


def serve_and_compare(arguments: argparse.Namespace) -> None:
    from resources.home import luthier_home
    from resources.served_version import ServedVersion
    from resources.tracking import Tracking

    home = luthier_home()
    registry = Tracking(home=str(home)).registry
    if registry.champion(arguments.model) is None:
        random_champion(arguments.model, home)
    package = ServedVersion(registry, arguments.model, home / "serving" / "packages").find().folder
    ports = {way: free_port() for way in (OURS, ROUNDED, MLFLOW)}
    ours = [sys.executable, "-c", "from pipelines.cli import main; main()", "serve", arguments.model, "--port"]
    theirs = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "-m", package]
    commands = {
        OURS: [*ours, str(ports[OURS])],
        ROUNDED: [*ours, str(ports[ROUNDED]), "--precision", "bfloat16"],
        MLFLOW: [*theirs, "--host", "127.0.0.1", "--port", str(ports[MLFLOW])],
    }
    servers: dict[str, Server] = {}
    try:
        for way, command in commands.items():
            servers[way] = start(command, ports[way], home / f"{way.replace(' ', '-')}.log")
        ratio = compare(servers, reviews(), arguments.rounds, arguments.seconds)
    finally:
        for server in servers.values():
            server.process.terminate()
        for server in servers.values():
            server.process.wait()
    if ratio < TARGET:
        raise SystemExit(f"{ratio:.2f} times MLflow's requests per second at {CLIENTS[-1]} clients, below {TARGET:g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--model", default="reviews", help="recipe whose champion is served")
    arguments = parser.parse_args()
    from resources.home import prepare_home

    with tempfile.TemporaryDirectory() as home:
        os.environ["LUTHIER_HOME"] = os.environ.get("LUTHIER_BENCHMARK_HOME", home)
        prepare_home()
        serve_and_compare(arguments)


if __name__ == "__main__":
    main()
