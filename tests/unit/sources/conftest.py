"""Real counterparts: a PostgreSQL, an S3 server, a hub that speaks over HTTP, each made here."""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from luthier.sources import Access, Fetched, fetch
from tests.conftest import needed_or_skipped
from tests.unit.sources.hub_server import HubServer

Fetch = Callable[..., Fetched]
PASSWORD = "hunter2-long"


@pytest.fixture
def access(tmp_path: Path) -> Access:
    """A project with nothing in it."""
    (tmp_path / "project").mkdir()
    return Access(downloads=tmp_path / "downloads", root=tmp_path / "project")


@pytest.fixture
def get(access: Access) -> Fetch:
    """``fetch`` in that project."""
    return lambda uri, **options: fetch(uri, access, **options)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that asks for a password."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    needed_or_skipped(programs, "no PostgreSQL server on this machine: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="luthier-pg-", dir="/tmp"))
    (folder / "password").write_text(PASSWORD)
    server = PostgresServer(programs[-1], folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


class PostgresServer:
    """A server of its own in a folder of its own; not as root, which PostgreSQL refuses."""

    def __init__(self, programs: Path, folder: Path):
        self._programs, self._folder = programs, folder
        self._user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self._user:
            shutil.chown(folder, "postgres")
            shutil.chown(folder / "password", "postgres")

    def start(self) -> str:
        """Make the cluster, start it and give the URL of its user ``reader``."""
        self._run("initdb", "-U", "reader", "-A", "scram-sha-256", f"--pwfile={self._folder / 'password'}", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = f"-p {port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", settings, "start")
        return f"postgresql+psycopg://reader:{PASSWORD}@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-m", "immediate", "stop", check=False)

    def _run(self, program: str, *options: str, check: bool = True) -> None:
        command = [*self._user, str(self._programs / program), "-D", str(self._folder / "data"), *options]
        subprocess.run(command, check=check, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture
def web_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server with a certificate that is trusted here: its address, and the folder that it shows."""
    import aiohttp.connector

    needed_or_skipped(shutil.which("openssl"), "no openssl on this machine: apt-get install openssl")
    key, certificate, folder = tmp_path / "key.pem", tmp_path / "certificate.pem", tmp_path / "web"
    folder.mkdir()
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", "-x509", *options, *names], check=True, capture_output=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    trusted = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", trusted)  # made once, from SSL_CERT_FILE
    monkeypatch.setenv("NO_PROXY", "localhost")
    yield f"https://localhost:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of an S3 server in memory."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub without repositories, which the library takes for the real one."""
    import huggingface_hub.constants

    with HubServer() as server:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server
