"""When a job whose failure may pass is run again. Pure; times in seconds."""

from __future__ import annotations

from typing import Final

JITTER: Final = 0.2
"""Share by which a wait is made shorter or longer at random, so that jobs do not return at once."""
LONGEST_WAIT: Final = 600.0
"""Most seconds between two tries, before the jitter."""


def retry_in(retries: int, most: int, base: float, *, random: float) -> float | None:
    """Seconds until the next try; None when there is none, and the failure is final.

    ``retries`` is how many there have been, ``most`` how many there may be, ``base`` the
    wait before the first, which doubles each time; ``random`` a number from 0 up to 1.

    >>> [retry_in(done, 3, 10.0, random=0.5) for done in range(4)]
    [10.0, 20.0, 40.0, None]
    >>> retry_in(0, 3, 10.0, random=0.0), retry_in(30, 99, 10.0, random=0.5)
    (8.0, 600.0)
    >>> retry_in(0, 0, 10.0, random=0.5) is None
    True
    """
    if retries >= most:
        return None
    doubled = base * 2.0 ** min(retries, 32)
    return min(doubled, LONGEST_WAIT) * (1 + JITTER * (2 * random - 1))
