"""A real web server that takes messages as Slack does, and misbehaves when asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WebHook:
    """``statuses`` are what the next requests are answered with, then 200; ``silent`` ones are never answered."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def web_hook() -> Iterator[WebHook]:
    hook = WebHook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.asked += 1
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if hook.silent.is_set():
                hook.release.wait()
                return
            status = hook.statuses.pop(0) if hook.statuses else 200
            if status == 200:
                hook.received.append(content)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/secret-path"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
