"""One webhook request: posted within a deadline, its answer read within a bound.

Built on httpcore, the engine of httpx: it follows no redirects, keeps no cookies,
unpacks nothing and reads no proxy from the environment, so there is nothing to
switch off, and it lets the guard open the connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpcore

from lepton_tasks.webhooks.guard import ForbiddenAddress, GuardedNetwork, UnknownHost
from lepton_tasks.webhooks.schedule import is_delivered

MAX_ANSWER_BYTES: Final = 20 * 1024
"""Bytes of an answer's body that are read; a longer one is cut off by closing."""

_IDLE_SECONDS: Final = 10.0
_MAX_ERROR: Final = 200
_USER_AGENT: Final = "lepton-tasks"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request. ``error`` is None when the receiver took the message.

    ``error`` never holds anything of what was sent or received.
    """

    status: int | None
    error: str | None
    retry_after: str | None = None


class WebhookClient:
    """Posts webhooks. Use it as an async context manager; it keeps connections open."""

    def __init__(self, network: GuardedNetwork, deadline: float, connections: int) -> None:
        """``deadline`` is the seconds one request may take in all, name lookup included."""
        self._deadline = deadline
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=network, max_connections=connections, keepalive_expiry=_IDLE_SECONDS
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pool.__aexit__(kind, error, traceback)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post ``body`` as JSON; whatever goes wrong out there is an answer, no exception."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._post(url, headers, body)
        except TimeoutError:
            return _failed(f"no complete answer within {self._deadline:g} s")
        except (ForbiddenAddress, UnknownHost) as error:
            return _failed(str(error))
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            return _failed(f"no connection: {error}")
        except httpcore.NetworkError:
            return _failed("the connection broke")
        except httpcore.RemoteProtocolError:
            return _failed("the answer is not HTTP, or ended early")
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, ValueError):
            return _failed("the URL cannot be used")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent = {
            "Host": urlsplit(url).netloc.rpartition("@")[2],
            "User-Agent": _USER_AGENT,
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            **headers,
        }
        async with self._pool.stream(
            "POST", url.encode("ascii"), headers=list(sent.items()), content=body
        ) as response:
            left = MAX_ANSWER_BYTES
            async with aclosing(response.aiter_stream()) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    left -= len(chunk)
                    if left < 0:
                        break
        return Answer(response.status, _judge(response.status), _retry_after(response.headers))


def _judge(status: int) -> str | None:
    if is_delivered(status):
        return None
    if 300 <= status <= 399:
        return f"status {status}: redirects are not followed"
    return f"status {status}"


def _retry_after(headers: list[tuple[bytes, bytes]]) -> str | None:
    for name, value in headers:
        if name.lower() == b"retry-after":
            return value.decode("latin-1")
    return None


def _failed(error: str) -> Answer:
    return Answer(None, error[:_MAX_ERROR])
