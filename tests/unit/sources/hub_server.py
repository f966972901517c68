"""As much of the hub's API as a download needs: a revision's commit, the tree of a commit, the files."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

ROUTE = re.compile(r"/(?:api/)?(?:(datasets)/|models/)?([^/]+/[^/]+)/(revision|tree|resolve)/([^/?]+)/?([^?]*)")


class HubServer:
    """Repositories of commits of files, on a free port. ``asked`` are the paths of the requests so far."""

    def __init__(self) -> None:
        self.commits: dict[tuple[str, str], dict[str, bytes]] = {}
        self.branches: dict[tuple[str, str], str] = {}
        self.gated: set[str] = set()
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def do_HEAD(self) -> None:
                hub.answer(self)

            def log_message(self, *parts: Any) -> None:
                hub.asked.append(self.path)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def commit(self, repository: str, files: dict[str, str], *, branch: str = "main") -> str:
        """A new commit, to which the branch moves."""
        commit = hashlib.sha1(json.dumps([repository, files]).encode()).hexdigest()
        self.commits[repository, commit] = {name: text.encode() for name, text in files.items()}
        self.branches[repository, branch] = commit
        return commit

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        match = ROUTE.match(request.path)
        assert match, request.path
        kind, repository, what, revision, name = match.groups()
        repository = f"{kind}/{repository}" if kind else repository
        if repository in self.gated:
            return _send(request, 403, b"{}", {"X-Error-Code": "GatedRepo"})
        if repository not in {known for known, _ in self.branches}:
            return _send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})
        commit = self.branches.get((repository, revision), revision)
        files = self.commits.get((repository, commit))
        if files is None:
            return _send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if what == "resolve":
            return _send(request, 200, files[name], {"ETag": f'"{_blob(files[name])}"', "X-Repo-Commit": commit})
        about = {"id": repository, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
        tree = [{"type": "file", "path": path, "size": len(files[path]), "oid": _blob(files[path])} for path in files]
        return _send(request, 200, json.dumps(tree if what == "tree" else about).encode(), {})


def _blob(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body)), "Content-Type": "application/json"}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(body)
