"""A receiver of webhooks for developers: verifies each, tells what it heard, answers.

It also stands for what a receiver has to do: read the raw body, verify it before it is
parsed, know an id that came before, and answer with a 2xx.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks.webhooks import (
    EmptyWebhookSecretError,
    Webhook,
    WebhookVerificationError,
)

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_REMEMBERED: Final = 10_000
_SILENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One request. ``problem`` is None where the signature is right."""

    at: float
    path: str
    id: str
    times: int
    """How often this id has come, this time included."""
    problem: str | None
    status: int
    """What it was answered with."""
    body: bytes


class Listener(ThreadingHTTPServer):
    """Listens on ``address``; give it to ``with`` and call :meth:`serve_forever`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(
        self,
        address: tuple[str, int],
        secrets: Sequence[str],
        hear: Callable[[Heard], None],
        fails: Callable[[], bool] = lambda: False,
    ) -> None:
        """A signature by any of ``secrets`` will do; with none, nothing is verified.

        ``hear`` is called for one request at a time. Where ``fails`` says so, a request is
        answered with 500, as a broken receiver would.

        Raises:
            ValueError: a secret is none.
            OSError: the address cannot be listened on.
        """
        try:
            self._verifiers = [Webhook(secret) for secret in secrets]
        except EmptyWebhookSecretError as error:
            raise ValueError("an empty secret") from error
        self._hear = hear
        self._fails = fails
        self._times: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Verify a request and tell of it; returns the status to answer with."""
        problem = self._problem(headers, body)
        with self._lock:
            message_id = headers.get("webhook-id", "")
            times = self._times.pop(message_id, 0) + 1
            self._times[message_id] = times
            if len(self._times) > _REMEMBERED:
                self._times.popitem(last=False)
            status = 401 if problem is not None else 500 if self._fails() else 200
            self._hear(Heard(time.time(), path, message_id, times, problem, status, body))
        return status

    def _problem(self, headers: dict[str, str], body: bytes) -> str | None:
        problem: str | None = None
        for verifier in self._verifiers:
            try:
                verifier.verify(body, headers, json_parse=False)
            except WebhookVerificationError as error:
                problem = str(error)
            except ValueError:
                problem = "The signature headers are malformed"
            else:
                return None
        return problem

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "lepton-listen"
    sys_version = ""
    timeout = _SILENCE_SECONDS
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Take one message."""
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            self._answer(411)
        elif int(length) > MAX_BODY_BYTES:
            self._answer(413)
        else:
            body = self.rfile.read(int(length))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(self.server.take(self.path, headers, body), keep=True)

    def do_GET(self) -> None:
        """Webhooks are posted."""
        self._answer(405)

    def _answer(self, status: int, keep: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if not keep:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """What is worth telling is told by ``hear``."""
