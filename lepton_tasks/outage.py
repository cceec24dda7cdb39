"""What a long-running loop does while the database or Redis is away: say so, wait, try again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import redis
from sqlalchemy.exc import SQLAlchemyError

from lepton_tasks.errors import BrokerUnavailable, StoreUnavailable

logger = logging.getLogger(__name__)

OUTAGES: Final = (
    StoreUnavailable,
    BrokerUnavailable,
    SQLAlchemyError,
    redis.RedisError,
    ConnectionError,
)
"""Exceptions that time may heal."""

_FIRST_SECONDS: Final = 0.25
_MOST_SECONDS: Final = 5.0


class Outage:
    """Waits of one loop: a quarter of a second at first, doubled up to five seconds."""

    def __init__(self, what: str) -> None:
        """``what`` names the loop in the log."""
        self._what = what
        self._pause = _FIRST_SECONDS
        self._on = False

    def attempt(self, work: Callable[[], float]) -> float:
        """Do one round of the loop; returns the seconds until the next.

        ``work`` says them; where it fails for now, the outage does.
        """
        try:
            pause = work()
        except OUTAGES as error:
            return self.failed(error)
        self.over()
        return pause

    async def attempt_async(self, work: Callable[[], Awaitable[float]]) -> float:
        """:meth:`attempt` for an event loop."""
        try:
            pause = await work()
        except OUTAGES as error:
            return self.failed(error)
        self.over()
        return pause

    def failed(self, error: Exception) -> float:
        """Note a failure; returns the seconds to wait. The first of a row is logged.

        >>> outage = Outage("sender")
        >>> [outage.failed(ConnectionError("gone")) for _ in range(7)]
        [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
        >>> outage.over(); outage.failed(ConnectionError("gone"))
        0.25
        """
        if not self._on:
            logger.warning("%s: %s; trying again", self._what, _describe(error))
        self._on = True
        pause, self._pause = self._pause, min(2 * self._pause, _MOST_SECONDS)
        return pause

    def over(self) -> None:
        """Note a success."""
        if self._on:
            logger.warning("%s: working again", self._what)
            self._on = False
            self._pause = _FIRST_SECONDS


async def sleep_until(event: asyncio.Event, seconds: float) -> None:
    """Sleep until ``event`` is set, at most ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _describe(error: Exception) -> str:
    # An SQLAlchemy error prints the statement's parameters, and those are users' texts.
    return type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error)
