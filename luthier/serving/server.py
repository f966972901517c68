"""The server: LitServe with the protocols as its routes and the model in a process of its own."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import litserve
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from luthier.serving.chat_protocol import ChatProtocol
from luthier.serving.control import Control
from luthier.serving.dispatch import Dispatcher
from luthier.serving.document import openapi_document
from luthier.serving.gate import Gate
from luthier.serving.json_body import answered, refused
from luthier.serving.json_log import log_as_json
from luthier.serving.metrics import Metrics
from luthier.serving.model_process import ModelProcess
from luthier.serving.package import read_package
from luthier.serving.refusal import MEANINGS, Refusal
from luthier.serving.request_log import Observed
from luthier.serving.scoring_protocol import ScoringProtocol
from luthier.serving.service import Service
from luthier.serving.settings import HOST, TOKEN_VARIABLE, Settings
from luthier.serving.trial import Trial

log = logging.getLogger(__name__)

# How soon a dead process is seen.
LOOK_SECONDS: Final = 0.2
BROKEN: Final = 70

Endpoint = Callable[[Request], Any]


class Server(litserve.LitServer):
    """LitServe's server without its own routes, which are not those of the protocols."""

    def __init__(self, folder: Path, settings: Settings, *, token: str | None):
        self.folder, self.settings, self.token = folder, settings, token
        self.dispatcher = Dispatcher(settings.limits)
        self.control = Control(folder)
        self.metrics = Metrics(settings.model, self.control, self.dispatcher)
        super().__init__(
            ModelProcess(folder, settings, self.dispatcher),
            accelerator="cpu",
            devices=1,
            disable_openapi_url=True,
            restart_workers=True,
        )
        self.monitor_internal = LOOK_SECONDS
        self.listening: dict[int, Any] = {}

    def register_endpoints(self) -> None:
        """LitServe calls it when it is made."""
        package = read_package(Path(self.control.first.folder))
        service = Service(self.settings, self.control, self.dispatcher, self.metrics, package)
        routes = routes_of(service, needs_token=self.token is not None)
        for path, (method, endpoint) in routes.items():
            self.app.add_route(path, endpoint, methods=[method])
        self.app.add_exception_handler(HTTPException, _not_routed)
        self.app.add_middleware(Gate, settings=self.settings, token=self.token)
        self.app.add_middleware(Observed, settings=self.settings, metrics=self.metrics, paths=frozenset(routes))

    def _start_server(self, *arguments: Any, **options: Any) -> dict[int, Any]:
        self.listening = super()._start_server(*arguments, **options)
        return self.listening

    @property
    def parts(self) -> dict[int, str]:
        """The processes that LitServe does not start again, by name."""
        parts = [*multiprocessing.active_children(), *self.listening.values()]
        return {part.pid: part.name for part in parts if part.pid and part.name != "inference-worker"}

    def _perform_graceful_shutdown(self, *arguments: Any, **options: Any) -> None:
        """LitServe's watch over the model's process would report that the queues are gone."""
        for thread in threading.enumerate():
            if thread.name == "litserve-monitoring":
                thread.join(timeout=1.0)
        super()._perform_graceful_shutdown(*arguments, **options)

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        log_as_json()
        async with super().lifespan(app):
            task = asyncio.create_task(self.dispatcher.listen())
            try:
                yield
            finally:
                task.cancel()


def routes_of(service: Service, *, needs_token: bool) -> Mapping[str, tuple[str, Endpoint]]:
    """Every path, with its method."""
    scoring, trial = ScoringProtocol(service), Trial(service, needs_token=needs_token)
    document = openapi_document(service, needs_token=needs_token)

    async def openapi(request: Request) -> Response:
        return answered(document, None)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.page(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    routes: dict[str, tuple[str, Endpoint]] = {
        "/invocations": ("POST", scoring.invocations),
        "/try": ("POST", trial.answer),
        "/ping": ("GET", scoring.ping),
        "/health": ("GET", scoring.health),
        "/version": ("GET", scoring.version),
        "/metrics": ("GET", metrics),
        "/openapi.json": ("GET", openapi),
        "/": ("GET", trial.page),
    }
    if service.described.is_chat:
        chat = ChatProtocol(service)
        routes |= {"/v1/chat/completions": ("POST", chat.completions), "/v1/models": ("GET", chat.models)}
    return routes


async def _not_routed(request: Request, error: Any) -> Response:
    status = error.status_code if error.status_code in MEANINGS else 400
    return refused(Refusal(status, MEANINGS[status][1], headers=error.headers or {}), request.url.path)


def run(folder: Path) -> None:
    """Serves what the control folder says, until SIGTERM. Ends if a part of it dies that none restarts."""
    settings = Settings.read(folder)
    log_as_json()
    server = Server(folder, settings, token=os.environ.get(TOKEN_VARIABLE) or None)
    own, stopping = os.getpid(), threading.Event()

    def stop(number: int, frame: object) -> None:
        if os.getpid() != own:
            # The process that listens has answered what it had begun to.
            os._exit(0)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=_watch_parts, args=(server, stopping), daemon=True).start()
    server.run(
        host=HOST,
        port=settings.port,
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
        access_log=False,
        server_header=False,
        log_config=None,
    )


def _watch_parts(server: Server, stopping: threading.Event) -> None:
    """LitServe restarts the model's process alone. Without the one that listens, or the queues, nothing works.

    Without `luthier serve`, which was killed, the server would hold its port and follow no alias: it stops.
    """
    seen: dict[int, str] = {}
    supervisor = os.getppid()
    while not stopping.wait(LOOK_SECONDS) and os.getppid() == supervisor:
        alive = {child.pid for child in multiprocessing.active_children()}
        gone = {name for pid, name in (seen | server.parts).items() if pid not in alive}
        if gone and not stopping.is_set():
            log.error("ended: %s", ", ".join(sorted(gone)))
            os._exit(BROKEN)
        seen = server.parts
    # LitServe would take an interrupt as well, and start the model's process again while it ends.
    server._shutdown_event.set()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
