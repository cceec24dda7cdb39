"""aiohttp's connections, made where the guard says and nowhere else."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from typing import Any, Final
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from lepton_tasks.webhooks.guard import EgressGuard

_FAMILY: Final = {True: socket.AF_INET6, False: socket.AF_INET}


class CheckedSockets:
    """Makes the sockets of connections, to addresses that may be reached, and counts them."""

    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard
        self._made: WeakSet[socket.socket] = WeakSet()

    def make(self, address: Any, *, secure: bool) -> socket.socket:
        """A socket for an address as ``getaddrinfo`` gives it; ``secure`` if TLS is spoken there.

        Raises:
            ForbiddenAddress: it may not be reached.
            HttpsRequired: not without TLS.
        """
        family, kind, protocol, _, place = address
        self._guard.check(place[0], secure=secure)
        made = socket.socket(family, kind, protocol)
        self._made.add(made)
        return made

    def __len__(self) -> int:
        """How many are in use or idle."""
        return len(self._made)


def guarded_connector(
    guard: EgressGuard,
    sockets: CheckedSockets,
    tls: ssl.SSLContext | None,
    idle_seconds: float | None,
) -> aiohttp.TCPConnector:
    """Connections under ``guard``, open for ``idle_seconds`` after a request. Needs a running loop.

    None closes each after its request. Without ``tls`` they are for plain http alone.

    A name is looked up for each new connection and all its addresses are checked; the
    address is checked again when its socket is made, which covers a URL that spells one out.
    """
    connector = partial(
        aiohttp.TCPConnector,
        resolver=_GuardedResolver(guard, secure=tls is not None),
        socket_factory=partial(sockets.make, secure=tls is not None),
        ssl=tls or True,
        use_dns_cache=False,
        limit=0,
    )
    if idle_seconds is None:
        return connector(force_close=True)
    return connector(keepalive_timeout=idle_seconds)


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: EgressGuard, *, secure: bool) -> None:
        self._guard = guard
        self._secure = secure

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=_FAMILY[":" in address],
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.addresses(host, port, secure=self._secure)
        ]

    async def close(self) -> None:
        """Nothing is open."""
