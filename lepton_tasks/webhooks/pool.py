"""Connections that stay open between webhooks, by origin, opened under the guard."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import OrderedDict
from typing import Final

import certifi

from lepton_tasks.webhooks.connection import Connection
from lepton_tasks.webhooks.guard import EgressGuard
from lepton_tasks.webhooks.target import Target

CONNECT_SECONDS: Final = 5.0
"""Time for one address to accept, so that a dead one leaves time for the next."""

IDLE_SECONDS: Final = 10.0
"""How long a connection is kept for the next webhook."""


class NoConnection(Exception):
    """No address of the host accepts a connection, or TLS fails."""


def trusted_context() -> ssl.SSLContext:
    """TLS that trusts the system's authorities and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Pool:
    """Opens connections and keeps idle ones. It bounds those, not the ones in use."""

    def __init__(self, guard: EgressGuard, most_idle: int, tls: ssl.SSLContext | None) -> None:
        self._guard = guard
        self._most_idle = most_idle
        self._tls = tls
        self._by_origin: dict[tuple[str, str, int], list[Connection]] = {}
        # The longest idle first, with the time at which each is too old.
        self._idle: OrderedDict[Connection, tuple[tuple[str, str, int], float]] = OrderedDict()

    def take(self, target: Target) -> Connection | None:
        """An idle connection to the target's origin, the one that was used last."""
        self._drop_old()
        while waiting := self._by_origin.get(target.origin):
            connection = waiting[-1]
            self._forget(connection)
            if connection.usable:
                return connection
        return None

    async def open(self, target: Target) -> Connection:
        """A new connection to the first checked address that accepts.

        Raises:
            UnknownHost, ForbiddenAddress: see :meth:`EgressGuard.addresses`.
            NoConnection: none accepts.
        """
        failure = "the host has no address"
        secure = target.scheme == "https"
        for address in await self._guard.addresses(target.host, target.port):
            try:
                async with asyncio.timeout(CONNECT_SECONDS) as patience:
                    _, connection = await asyncio.get_running_loop().create_connection(
                        Connection,
                        address,
                        target.port,
                        ssl=self._trust() if secure else None,
                        server_hostname=target.host.rstrip(".") if secure else None,
                    )
                    return connection
            except TimeoutError:
                failure = (
                    f"nothing accepts within {CONNECT_SECONDS:g} s"
                    if patience.expired()
                    else "it timed out"
                )
            except (OSError, OverflowError) as error:
                failure = _reason(error)
        raise NoConnection(f"no connection: {failure}")

    def give_back(self, target: Target, connection: Connection) -> None:
        """Keep a connection for the next webhook, if it can carry one."""
        if not connection.usable:
            connection.abort()
            return
        until = asyncio.get_running_loop().time() + IDLE_SECONDS
        self._idle[connection] = (target.origin, until)
        self._by_origin.setdefault(target.origin, []).append(connection)
        if len(self._idle) > self._most_idle:
            self._close(next(iter(self._idle)))
        self._drop_old()

    def close(self) -> None:
        """Close what is idle."""
        for connection in list(self._idle):
            self._close(connection)

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = trusted_context()
        return self._tls

    def _drop_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection, (_, until) = next(iter(self._idle.items()))
            if until > now:
                return
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._forget(connection)
        connection.abort()

    def _forget(self, connection: Connection) -> None:
        origin, _ = self._idle.pop(connection)
        waiting = self._by_origin[origin]
        waiting.remove(connection)
        if not waiting:
            del self._by_origin[origin]


def _reason(error: OSError | OverflowError) -> str:
    """What went wrong, without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'it failed'}"
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else "it failed"
