"""One lane a host: how many deliveries a host may hold, so that a slow one holds only its own."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class _Lane:
    slots: asyncio.Semaphore
    origins: Counter[str] = field(default_factory=Counter)


class Lanes:
    """The lanes that are in use. A lane is full once it holds ``width`` deliveries."""

    def __init__(self, width: int) -> None:
        """``width`` is how many deliveries a host gets at the same time."""
        self._width = width
        self._lanes: dict[str, _Lane] = {}

    def enter(self, url: str) -> None:
        """Take a delivery in; it may have to wait for its turn."""
        host = host_of(url)
        if host not in self._lanes:
            self._lanes[host] = _Lane(asyncio.Semaphore(self._width))
        self._lanes[host].origins[origin_of(url)] += 1

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """Wait for the turn of a delivery that has entered, and hold it."""
        async with self._lanes[host_of(url)].slots:
            yield

    def leave(self, url: str) -> bool:
        """Let a delivery go; True when its lane was full and now is not."""
        host, origin = host_of(url), origin_of(url)
        lane = self._lanes[host]
        lane.origins[origin] -= 1
        if not lane.origins[origin]:
            del lane.origins[origin]
        if not lane.origins:
            del self._lanes[host]
        return lane.origins.total() == self._width - 1

    def full(self) -> list[str]:
        """Origins, as written in URLs, of which no more should be taken in now."""
        return [
            origin
            for lane in self._lanes.values()
            if lane.origins.total() >= self._width
            for origin in lane.origins
        ]


def host_of(url: str) -> str:
    """Host that a URL leads to, in lower case; URLs of one host share a lane.

    >>> host_of("HTTPS://Hooks.Example.test:8443/a?b"), host_of("http://[::1]:80")
    ('hooks.example.test', '::1')
    >>> host_of("http://[")
    ''
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """Start of a URL up to its path, as written.

    >>> [origin_of(url) for url in ("HTTP://A.test:1/x", "http://a.test?x", "http://a.test")]
    ['HTTP://A.test:1', 'http://a.test', 'http://a.test']
    """
    found = re.match(r"[^/?#]*//[^/?#]*", url)
    return found.group() if found else url
