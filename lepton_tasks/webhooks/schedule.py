"""When a failed webhook is sent again. Pure; times in seconds."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3600.0

DELAYS: Final = (
    5.0,
    30.0,
    2 * MINUTE,
    10 * MINUTE,
    1 * HOUR,
    6 * HOUR,
    20 * HOUR,
    24 * HOUR,
    24 * HOUR,
)
"""Wait after attempt 1, 2, …; after the last attempt there is none. About 75 hours in all."""

JITTER: Final = 0.2
"""Share by which a wait is made shorter or longer at random."""

MAX_RETRY_AFTER: Final = 24 * HOUR
"""The most that a receiver's Retry-After can put an attempt off."""

GONE: Final = 410
"""Status by which a receiver says that it wants no more of this."""


def is_delivered(status: int) -> bool:
    """Whether a receiver's status means that it has taken the message.

    >>> [is_delivered(status) for status in (200, 204, 299, 301, 410, 500)]
    [True, True, True, False, False, False]
    """
    return 200 <= status <= 299


def retry_in(
    attempt: int, status: int | None, retry_after: str | None, *, random: float, now: float
) -> float | None:
    """Seconds until the next attempt; None when there is no next one.

    ``attempt`` is the number of the attempt that failed, from 1 on; ``status``
    the receiver's HTTP status, None when it gave none; ``retry_after`` its
    Retry-After header, as seconds or as a date; ``random`` a number from 0 up
    to 1; ``now`` the Unix time.

    >>> [retry_in(n, 500, None, random=0.5, now=0) for n in (1, 2, 3, 4)]
    [5.0, 30.0, 120.0, 600.0]
    >>> retry_in(1, None, None, random=0.0, now=0)
    4.0
    >>> retry_in(10, 500, None, random=0.5, now=0) is None
    True

    Gone is gone, whatever is left of the schedule:

    >>> retry_in(1, 410, None, random=0.5, now=0) is None
    True

    A receiver may ask for more time, never for less, and for a day at most:

    >>> retry_in(1, 429, "60", random=0.5, now=0)
    60.0
    >>> retry_in(3, 503, "1", random=0.5, now=0)
    120.0
    >>> retry_in(1, 503, "9999999", random=0.5, now=0)
    86400.0
    """
    if status == GONE or attempt > len(DELAYS):
        return None
    delay = DELAYS[attempt - 1] * (1 + JITTER * (2 * random - 1))
    asked = None if retry_after is None else parse_retry_after(retry_after, now)
    return delay if asked is None else max(delay, min(asked, MAX_RETRY_AFTER))


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds that a Retry-After header asks for; None when it means nothing.

    >>> parse_retry_after("120", now=0)
    120.0
    >>> parse_retry_after("Thu, 01 Jan 1970 00:01:30 GMT", now=60)
    30.0
    >>> parse_retry_after("soon", now=0) is None
    True
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])  # longer is past any limit, and could overflow
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is read as UTC, which is all that HTTP allows.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
