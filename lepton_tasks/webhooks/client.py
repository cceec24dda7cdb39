"""One webhook request: posted within a deadline, its answer read within a bound.

aiohttp speaks HTTP. It is told to follow no redirects, keep no cookies, read no proxy
from the environment and to unpack nothing, and it connects where the guard says.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import zlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any, Final, Self

import aiohttp
import certifi
from yarl import URL

from lepton_tasks.webhooks.egress import CheckedSockets, guarded_connector
from lepton_tasks.webhooks.guard import EgressGuard, ForbiddenAddress, HttpsRequired, UnknownHost
from lepton_tasks.webhooks.schedule import is_delivered
from lepton_tasks.webhooks.target import Target, UnusableUrl, parse_target

MAX_ANSWER_BYTES: Final = 20 * 1024
"""Bytes of an answer's body that are kept; a longer one is cut off by closing."""
CONNECT_SECONDS: Final = 5.0
"""Time for a host to accept a connection."""
IDLE_SECONDS: Final = 10.0
"""How long a connection is kept for the next webhook."""

_MAX_ERROR: Final = 200
_TOO_MANY: Final = 429
_FRAMING: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade"}
)
"""Headers that are the client's own: a wrong one would let a request be read as two."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. ``error`` is None when the receiver took the message.

    ``error`` never holds anything of what was sent or received; ``body`` is the first
    20 kB of what the receiver said.
    """

    status: int | None
    error: str | None
    retry_after: str | None = None
    body: bytes = field(default=b"", compare=False, repr=False)

    @property
    def alive(self) -> bool:
        """Whether the receiver is up: it may refuse this message and take others."""
        return self.status is not None and self.status < 500 and self.status != _TOO_MANY


class WebhookClient:
    """Posts webhooks. Use it as an async context manager; it keeps connections open."""

    def __init__(
        self,
        guard: EgressGuard,
        deadline: float,
        connections: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``deadline`` is the seconds one request may take in all, name lookup included.

        With ``connections`` open, no further one is kept after its request. ``tls`` says which
        authorities are trusted, by default the system's and certifi's.
        """
        self._guard = guard
        self._deadline = deadline
        self._connections = connections
        self._tls = tls
        self._sockets = CheckedSockets(guard)
        self._open = AsyncExitStack()
        self._sessions: dict[tuple[str, bool], aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        trust = {"https": self._tls or trusted_context(), "http": None}
        for scheme, tls in trust.items():
            for keeps in (True, False):
                session = await self._session(tls, IDLE_SECONDS if keeps else None)
                self._sessions[scheme, keeps] = session
        return self

    async def _session(
        self, tls: ssl.SSLContext | None, idle_seconds: float | None
    ) -> aiohttp.ClientSession:
        noting = aiohttp.TraceConfig()
        noting.on_connection_reuseconn.append(_note_reuse)
        return await self._open.enter_async_context(
            aiohttp.ClientSession(
                connector=guarded_connector(self._guard, self._sockets, tls, idle_seconds),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trace_configs=[noting],
            )
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post ``body`` as JSON; whatever goes wrong out there is an answer, no exception.

        Of ``headers``, those that frame the request are left out.
        """
        try:
            async with asyncio.timeout(self._deadline) as patience:
                target = parse_target(url)
                return await self._exchange(target, _sent(headers), body)
        except TimeoutError:
            if patience.expired():
                return _failed(f"no complete answer within {self._deadline:g} s")
            return _failed(f"no connection: nothing accepts within {CONNECT_SECONDS:g} s")
        except (UnusableUrl, ForbiddenAddress, HttpsRequired, UnknownHost) as error:
            return _failed(str(error))
        except aiohttp.ClientError as error:
            return _failed(_reason(error))
        except ValueError:
            return _failed("the URL or a header cannot be sent")

    async def _exchange(self, target: Target, headers: dict[str, str], body: bytes) -> Answer:
        seen = SimpleNamespace(reused=False)
        try:
            return await self._request(target, headers, body, seen)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not seen.reused:
                raise
            # Closed by the receiver while it was idle: that is no failed attempt.
            return await self._request(target, headers, body, seen)

    async def _request(
        self, target: Target, headers: dict[str, str], body: bytes, seen: SimpleNamespace
    ) -> Answer:
        session = self._sessions[target.scheme, len(self._sockets) < self._connections]
        response = await session.post(
            URL(target.url, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
            trace_request_ctx=seen,
        )
        try:
            kept = await _read(response.content)
        finally:
            response.close()  # of an answer that was read whole, the connection is kept already
        return Answer(
            response.status,
            _judge(response.status),
            response.headers.get("retry-after"),
            _inflated(kept, response.headers.get("content-encoding", "")),
        )


def trusted_context() -> ssl.SSLContext:
    """TLS that trusts the system's authorities and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def _note_reuse(
    session: aiohttp.ClientSession, context: SimpleNamespace, parameters: Any
) -> None:
    context.trace_request_ctx.reused = True


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The first 20 kB of a body."""
    kept = bytearray()
    while len(kept) <= MAX_ANSWER_BYTES and (part := await content.readany()):
        kept += part
    return bytes(kept[:MAX_ANSWER_BYTES])


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    sent = {
        "user-agent": "lepton-tasks",
        "content-type": "application/json",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in headers.items()},
    }
    if not all(_TOKEN.fullmatch(name) for name in sent):
        raise ValueError("a header's name")
    return {name: value for name, value in sent.items() if name not in _FRAMING}


def _judge(status: int) -> str | None:
    if is_delivered(status):
        return None
    if 300 <= status <= 399:
        return f"status {status}: redirects are not followed"
    return f"status {status}"


def _reason(error: aiohttp.ClientError) -> str:
    """What went wrong, without addresses and without a word of the receiver's."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            why = getattr(cause, "verify_message", "it failed")
            return f"no connection: the certificate is not accepted: {why}"
        case aiohttp.ClientConnectorSSLError(os_error=cause):
            return f"no connection: TLS: {getattr(cause, 'reason', None) or 'it failed'}"
        case aiohttp.ClientConnectorError(os_error=cause):
            return f"no connection: {os.strerror(cause.errno) if cause.errno else 'it failed'}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection broke"
        case aiohttp.InvalidURL():
            return "the URL cannot be used"
        case _:
            return "the answer is not HTTP, or ended early"


def _inflated(body: bytes, encoding: str) -> bytes:
    """At most 20 kB of a compressed answer, which nobody asked for; others as they are."""
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        return body


def _failed(error: str) -> Answer:
    return Answer(None, error[:_MAX_ERROR])
