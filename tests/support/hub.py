"""A hub of the tests: the part of the Hugging Face hub's HTTP that fetching a model needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Hub:
    """Repositories as folders by commit; the one added last is ``main``. ``asked`` is a log."""

    url: str = ""
    commits: dict[str, dict[str, Path]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, repository: str, folder: Path, commit: str) -> None:
        self.commits.setdefault(repository, {})[commit] = folder

    def find(self, repository: str, revision: str) -> tuple[str, Path] | None:
        known = self.commits.get(repository, {})
        if revision == "main" and known:
            revision = list(known)[-1]
        return (revision, known[revision]) if revision in known else None


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """Serve an empty hub while the block runs."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, format: str, *arguments: object) -> None:
            hub.asked.append(format % arguments)

        def _answer(self, body: bool) -> None:
            path = self.path.partition("?")[0].strip("/")
            if path.startswith("api/models/"):
                owner, name, *rest = path.removeprefix("api/models/").split("/")
                kind, revision = rest or ("revision", "main")
                self._tell(f"{owner}/{name}", kind, revision, body)
                return
            owner, name, _, revision, file = path.split("/", 4)
            found = hub.find(f"{owner}/{name}", revision)
            if found is None or not (found[1] / file).is_file():
                self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                return
            data = (found[1] / file).read_bytes()
            tag = hashlib.sha256(data).hexdigest()
            self._send(200, data, {"ETag": f'"{tag}"', "X-Repo-Commit": found[0]}, body)

        def _tell(self, repository: str, kind: str, revision: str, body: bool) -> None:
            found = hub.find(repository, revision)
            if found is None:
                code = "RevisionNotFound" if repository in hub.commits else "RepoNotFound"
                self._send(404, b"{}", {"X-Error-Code": code}, body)
                return
            commit, folder = found
            files = [file for file in sorted(folder.iterdir()) if file.is_file()]
            answer: object = {"id": repository, "sha": commit, "siblings": []}
            if kind == "tree":
                answer = [
                    {"type": "file", "path": one.name, "size": one.stat().st_size, "oid": "0" * 40}
                    for one in files
                ]
            self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
