"""An HTTP server on a real socket that answers as a script says, or hangs up, and notes it all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import orjson


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Say:
    """An answer. ``cut`` hangs up after the body as if more were to come."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


HANG_UP = Say(0)
"""The connection ends without an answer."""


def parts(asked: Asked) -> dict[str, tuple[str | None, bytes]]:
    """Parts of a multipart body: file name and content by name."""
    head = f"content-type: {asked.headers['content-type']}\r\n\r\n".encode()
    found = {}
    for part in message_from_bytes(head + asked.body).walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            found[name] = (part.get_filename(), part.get_payload(decode=True))
    return found  # type: ignore[return-value]


class ScriptedServer:
    """Give it answers with :meth:`say`; each request takes the next one."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self._answers: deque[Say] = deque()

    def say(self, *answers: Say) -> None:
        """Answer the next requests so."""
        self._answers.extend(answers)

    def answer(self, asked: Asked) -> Say:
        """Note a request and take its answer."""
        self.asked.append(asked)
        return self._answers.popleft() if self._answers else Say(500, {"error": {"code": "end"}})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: ClassVar[ScriptedServer]

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        said = self.script.answer(
            Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query)),
                {name.lower(): value for name, value in self.headers.items()},
                self._body(),
            )
        )
        if said.status == 0:
            self.close_connection = True
            return
        body = said.body if said.json is None else orjson.dumps(said.json)
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) + 100 * said.cut))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = said.cut

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """Run one while the block runs."""

    class Handler(_Handler):
        pass

    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Handler.script = script = ScriptedServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
