"""Whether the broker is away, judged by whether it answers this worker's consumer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

AWAY_SECONDS: Final = 3.0
"""For so long a broker may be silent; a consumer asks it every second."""
_SETTLED_SECONDS: Final = 1.0
"""For so long it must have answered before it counts as back."""


class BrokerWatch:
    """Notes when the broker answered; tells any thread whether it is away.

    It says nothing of the reason: down, paused, a link that is dead in silence, a password
    that no longer fits and a replica in place of the master look alike from here.

    >>> seconds = iter([0, 2, 4, 6, 6.5, 7.5])
    >>> watch = BrokerWatch(lambda: next(seconds))
    >>> watch.is_away(), watch.is_away()
    (False, True)
    >>> watch.answered(); watch.is_away(), watch.is_away()
    (True, False)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_at = clock()
        self._back_at = float("-inf")

    def answered(self) -> None:
        """Note an answer."""
        moment = self._clock()
        if moment - self._heard_at > AWAY_SECONDS:
            self._back_at = moment
        self._heard_at = moment

    def owes_nothing(self) -> None:
        """Note that nothing was asked of it, so that its silence means nothing.

        One that is away stays so: it has to answer.
        """
        if not self.is_away():
            self._heard_at = self._clock()

    def missed(self) -> None:
        """Note that it is away, whenever it answered last."""
        self._heard_at = float("-inf")

    def is_away(self) -> bool:
        """Whether it has been silent for seconds, or has come back this very moment."""
        moment = self._clock()
        silent = moment - self._heard_at > AWAY_SECONDS
        return silent or moment - self._back_at < _SETTLED_SECONDS
