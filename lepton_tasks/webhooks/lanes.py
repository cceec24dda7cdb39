"""One lane an endpoint: what it holds, how fast it goes, and when it is left alone.

A slow or dead endpoint fills its own lane and nothing else. A URL that a job named itself
has no endpoint: then the lane is its host's.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from lepton_tasks.webhooks.breaker import Breaker, BreakerLimits
from lepton_tasks.webhooks.pace import Pace

_REMEMBERED: Final = 4096
_PACED_SECONDS: Final = 4.0
"""How long what a lane of limited rate holds may last."""


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Bounds of a lane. Counts are deliveries."""

    width: int = 16
    """On the wire at once."""
    ahead: int = 128
    """Claimed at once by a lane that is quick; a new one begins with ``width``."""
    breaker: BreakerLimits = field(default_factory=BreakerLimits)


class Lane:
    """The deliveries of one endpoint that this sender holds."""

    def __init__(self, limits: LaneLimits) -> None:
        self.breaker = Breaker(limits.breaker)
        self.held = 0
        self.refused = False
        """Whether it had no room for something that was due."""
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.width)
        self._rate = 0.0
        self._pace = Pace(0.0)
        self._ahead = limits.width

    @property
    def fresh(self) -> bool:
        """Whether forgetting it changes nothing."""
        return self.held == 0 and self.breaker.calm and not self._rate

    def room(self, now: float) -> int:
        """How many more deliveries it should get.

        None until half of what it may hold is gone, so that they are claimed in numbers.
        """
        if not self.breaker.permits(now):
            return 0
        if not self.breaker.closed:
            return 0 if self.held else 1
        most = (
            min(self._ahead, int(self._rate * _PACED_SECONDS) or 1) if self._rate else self._ahead
        )
        return most - self.held if 2 * self.held <= most else 0

    def filled(self) -> None:
        """Note that it got all it asked for: next time it may ask for more."""
        self._ahead = min(2 * self._ahead, self._limits.ahead)

    def stuck(self) -> None:
        """Note that a delivery waited in vain: it is slow, and should hold no more than it can."""
        self._ahead = self._limits.width

    def limit(self, rate: float) -> None:
        """Let go at most ``rate`` deliveries a second from now on; 0 for any number."""
        if rate != self._rate:
            self._rate, self._pace = rate, Pace(rate)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a delivery may go, and hold its place on the wire."""
        clock = asyncio.get_running_loop().time
        async with self._slots:
            while wait := self._pace.wait(clock()):
                await asyncio.sleep(wait)
            self._pace.take(clock())
            yield


class Lanes:
    """The lanes that are in use, and those of which something is remembered."""

    def __init__(self, limits: LaneLimits) -> None:
        self._limits = limits
        self._lanes: OrderedDict[str, Lane] = OrderedDict()

    def enter(self, name: str) -> Lane:
        """Take a delivery into its lane."""
        lane = self._lanes.setdefault(name, Lane(self._limits))
        lane.held += 1
        return lane

    def claimed(self, name: str, *, filled: bool) -> None:
        """Note what a claim brought: a lane that got all its share has more waiting."""
        if filled:
            self._lanes[name].filled()

    def leave(self, name: str, now: float) -> bool:
        """Let a delivery go; True when its lane had no room for what is due, and now has."""
        lane = self._lanes[name]
        lane.held -= 1
        if lane.fresh:
            del self._lanes[name]
        elif not lane.held:
            self._remember(name)
        return lane.refused and lane.room(now) > 0

    def shares(self, due: Mapping[str, float], room: int, now: float) -> dict[str, int]:
        """How many deliveries to claim for each lane that has some due, ``room`` in all.

        ``due`` is the seconds until the first of each lane is. Lanes get equal shares; with
        more lanes than room, those that have waited longest get one.

        >>> lanes = Lanes(LaneLimits(width=2, ahead=8))
        >>> lanes.shares({"a": -1.0, "b": 0.0, "c": 0.5}, 100, now=0.0)
        {'a': 2, 'b': 2}
        >>> lanes.shares({"a": -1.0, "b": -2.0}, 1, now=0.0)
        {'b': 1}
        """
        rooms = {
            name: lane_room
            for name, _ in sorted(due.items(), key=lambda one: one[1])
            if due[name] <= 0 and (lane_room := self._room(name, now)) > 0
        }
        shares: dict[str, int] = {}
        for place, (name, lane_room) in enumerate(sorted(rooms.items(), key=lambda one: one[1])):
            share = min(lane_room, -(-room // (len(rooms) - place)))
            if share:
                shares[name] = share
            room -= share
        return shares

    def next_look(self, due: Mapping[str, float], now: float) -> float | None:
        """Seconds until a lane that had nothing to claim has, whatever else happens."""
        waits = []
        for name, wait in due.items():
            lane = self._lanes.get(name)
            opens_at = now if lane is None else lane.breaker.opens_at(now)
            if opens_at is not None and (wait > 0 or opens_at > now):
                waits.append(max(wait, opens_at - now))
        return min(waits, default=None)

    def _room(self, name: str, now: float) -> int:
        lane = self._lanes.get(name)
        if lane is None:
            return self._limits.width
        room = lane.room(now)
        lane.refused = not room
        return room

    def _remember(self, name: str) -> None:
        self._lanes.move_to_end(name)
        if len(self._lanes) > _REMEMBERED:
            oldest = next(one for one, lane in self._lanes.items() if not lane.held)
            del self._lanes[oldest]


def host_of(url: str) -> str:
    """Host that a URL leads to, in lower case.

    >>> host_of("HTTPS://Hooks.Example.test:8443/a?b"), host_of("http://[::1]:80")
    ('hooks.example.test', '::1')
    >>> host_of("http://[")
    ''
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
