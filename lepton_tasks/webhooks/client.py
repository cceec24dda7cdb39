"""One webhook request: posted within a deadline, its answer read within a bound.

It follows no redirects, keeps no cookies and reads no proxy from the environment: there
is no code for any of it.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import h11

from lepton_tasks.webhooks.connection import (
    MAX_ANSWER_BYTES,
    BadAnswer,
    BrokenConnection,
    Headers,
    Reply,
)
from lepton_tasks.webhooks.guard import EgressGuard, ForbiddenAddress, UnknownHost
from lepton_tasks.webhooks.pool import NoConnection, Pool
from lepton_tasks.webhooks.schedule import is_delivered
from lepton_tasks.webhooks.target import Target, UnusableUrl, parse_target

_MAX_ERROR: Final = 200
_USER_AGENT: Final = "lepton-tasks"
_FRAMING: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade"}
)
"""Headers that are the client's own: a wrong one would let a request be read as two."""


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

        At most ``connections`` are kept open while they are idle. ``tls`` says which
        authorities are trusted, those of the system by default.
        """
        self._deadline = deadline
        self._pool = Pool(guard, connections, tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post ``body`` as JSON; whatever goes wrong out there is an answer, no exception.

        Of ``headers``, those that frame the request are left out.
        """
        try:
            async with asyncio.timeout(self._deadline):
                target = parse_target(url)
                reply = await self._exchange(target, _sent(target, headers, body), body)
        except TimeoutError:
            return _failed(f"no complete answer within {self._deadline:g} s")
        except h11.LocalProtocolError:
            return _failed("the URL or a header cannot be sent")
        except (
            ForbiddenAddress,
            UnknownHost,
            NoConnection,
            BrokenConnection,
            BadAnswer,
            UnusableUrl,
        ) as error:
            return _failed(str(error))
        found = dict(reply.headers)
        again = found.get(b"retry-after")
        return Answer(
            reply.status,
            _judge(reply.status),
            None if again is None else again.decode("latin-1"),
            _inflated(reply.body, found.get(b"content-encoding", b"")),
        )

    async def _exchange(self, target: Target, headers: Headers, body: bytes) -> Reply:
        connection = self._pool.take(target)
        if connection is not None:
            try:
                reply = await connection.post(target, headers, body)
            except BrokenConnection as error:
                if not error.unheard:
                    raise
                # Closed by the receiver while it was idle: that is no failed attempt.
            else:
                self._pool.give_back(target, connection)
                return reply
        connection = await self._pool.open(target)
        reply = await connection.post(target, headers, body)
        self._pool.give_back(target, connection)
        return reply


def _sent(target: Target, headers: Mapping[str, str], body: bytes) -> Headers:
    sent = {
        "user-agent": _USER_AGENT,
        "content-type": "application/json",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in headers.items()},
    }
    return [
        (b"host", target.authority.encode()),
        (b"content-length", b"%d" % len(body)),
        *((name.encode(), value.encode()) for name, value in sent.items() if name not in _FRAMING),
    ]


def _judge(status: int) -> str | None:
    if is_delivered(status):
        return None
    if 300 <= status <= 399:
        return f"status {status}: redirects are not followed"
    return f"status {status}"


def _inflated(body: bytes, encoding: bytes) -> bytes:
    """At most 20 kB of a compressed answer, which nobody asked for; others as they are."""
    if encoding.lower() not in (b"gzip", b"x-gzip", b"deflate"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        return body


def _failed(error: str) -> Answer:
    return Answer(None, error[:_MAX_ERROR])
