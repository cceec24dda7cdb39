"""A real HTTP receiver of webhooks, on a thread, that answers as its path says."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Any:
        """Parse the body, once the stock library has accepted the signature."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver(ThreadingHTTPServer):
    """Answers as the path says.

    Paths: ``/hang``, ``/reset``, ``/drip``, ``/endless``, ``/garbage``, ``/short``,
    ``/redirect``, ``/bomb``, ``/close``, ``/<status>``; anything else is 200.
    A comma list in ``/then/a,b`` gives one answer a request, the last one for ever.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.received: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        with self.lock:
            return [request for request in self.received if request.path == path]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self.lock:
            self.connections += 1
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.received.append(Received(time.time(), self.path, headers, body))
        action = self.path.strip("/")
        if action.startswith("then/"):
            answers = action.removeprefix("then/").split(",")
            action = answers[min(len(self.server.at(self.path)), len(answers)) - 1]
        self._answer(action.split("/")[0])

    def _answer(self, action: str) -> None:
        if action == "hang":
            self.server.closing.wait(60)
        elif action == "reset":
            # Linger 0 makes close() send RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.rfile.close()  # it holds the socket open
            self.connection.close()
        elif action == "drip":
            self._head(200, {"Content-Length": "1000"})
            while not self.server.closing.wait(0.05):
                self.wfile.write(b".")
        elif action == "endless":
            self._head(200, {"Connection": "close"})
            while not self.server.closing.is_set():
                self.wfile.write(b"x" * 8192)
        elif action == "garbage":
            self.wfile.write(b"\x00\x01 what is " + self.path.encode() + b"\r\n\r\n")
            self.close_connection = True
        elif action == "short":
            self._head(200, {"Content-Length": "1000"})
            self.close_connection = True
        elif action == "bomb":
            packed = gzip.compress(b"0" * 10_000_000)
            self._head(200, {"Content-Length": str(len(packed)), "Content-Encoding": "gzip"})
            self.wfile.write(packed)
        elif action == "close":
            self.close_connection = True
        elif action == "redirect":
            self._head(308, {"Location": self.server.url("/target"), "Content-Length": "0"})
        elif action.isdigit():
            self._head(int(action), {"Content-Length": "0", "Set-Cookie": "seen=1"})
        else:
            self._head(200, {"Content-Length": "2"})
            self.wfile.write(b"ok")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running_receiver(host: str = "127.0.0.1") -> Iterator[Receiver]:
    """A receiver that listens on an address while the block runs; ``""`` is every address."""
    receiver = Receiver(host)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        receiver.shutdown()
        receiver.server_close()
        thread.join()
