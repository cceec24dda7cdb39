"""How much of something a tenant may use in a second, over HTTP: a token bucket each. Pure.

The buckets are this process's: several API processes behind one address let through as
many times as much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lepton_tasks.errors import Overloaded

MOST_TENANTS: Final = 10_000
"""Buckets that are kept; the one used longest ago is forgotten first, and is full again."""


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class RateLimit:
    """Lets each tenant use ``rate`` a second of ``what``, and ``burst_seconds`` worth at once.

    In any ``t`` seconds a tenant is let have at most ``rate * (t + burst_seconds)``, and
    what one call takes more than the burst: such a call is let through when the bucket is full,
    and the tenant waits longer after it.

    >>> moment = 0.0
    >>> limit = RateLimit("requests", 2.0, 1.0, lambda: moment)
    >>> limit.take("acme", 1), limit.take("acme", 1)
    (1, 0)
    >>> limit.take("acme", 1)
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.Overloaded: more than 2 requests a second were sent; ... again in 1 s
    >>> limit.take("other", 1)
    1
    >>> moment = 0.5
    >>> limit.take("acme", 1)
    0

    A rate of 0 is no limit.
    """

    def __init__(
        self,
        what: str,
        rate: float,
        burst_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``what`` is how a refusal and the headers call it; the rate is in those a second."""
        self.is_on = rate > 0
        self._what = what
        self._rate = rate
        self._most = max(1.0, rate * burst_seconds)
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, tenant: str, amount: float) -> int:
        """Use ``amount``; returns how much is left, in whole ones.

        Raises:
            Overloaded: there is not enough; nothing was used.
        """
        if not self.is_on:
            return 0
        bucket = self._filled(tenant)
        missing = min(amount, self._most) - bucket.level
        if missing > 1e-9:
            raise self._refusal(missing / self._rate)
        bucket.level -= amount
        return max(0, math.floor(bucket.level + 1e-9))

    def give_back(self, tenant: str, amount: float) -> None:
        """Undo what :meth:`take` has used for nothing."""
        if self.is_on:
            bucket = self._filled(tenant)
            bucket.level = min(self._most, bucket.level + amount)

    def headers(self, left: int) -> dict[str, str]:
        """The limit and what is left of it, named as the OpenAI API does; none without a limit."""
        if not self.is_on:
            return {}
        return {
            f"x-ratelimit-limit-{self._what}": str(math.floor(self._most)),
            f"x-ratelimit-remaining-{self._what}": str(left),
        }

    def _filled(self, tenant: str) -> _Bucket:
        moment = self._clock()
        bucket = self._buckets.pop(tenant, None) or _Bucket(self._most, moment)
        bucket.level = min(self._most, bucket.level + (moment - bucket.at) * self._rate)
        bucket.at = moment
        while len(self._buckets) >= MOST_TENANTS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[tenant] = bucket
        return bucket

    def _refusal(self, wait: float) -> Overloaded:
        return Overloaded(
            f"more than {self._rate:,g} {self._what} a second were sent; nothing was accepted, "
            f"send it again in {math.ceil(wait)} s",
            wait,
            "rate_limit_exceeded",
        )
