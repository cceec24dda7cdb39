"""Whether a request is sent again, and when: the decision alone."""

from __future__ import annotations

from typing import Final

from lepton_tasks.client.messages import Failure, Response, retry_after

LONGEST_PAUSE: Final = 120.0
"""A server that asks to wait longer is not asked again; the error says how long."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_BACKOFF: Final = 8.0


def is_passing(outcome: Response | Failure) -> bool:
    """Whether the same request may succeed a little later.

    A server's ``x-should-retry`` has the last word.

    >>> is_passing(Response(503, {})), is_passing(Response(422, {})), is_passing(Failure("reset"))
    (True, False, True)
    >>> is_passing(Response(504, {"x-should-retry": "false"}))
    False
    """
    if isinstance(outcome, Failure):
        return True
    said = outcome.headers.get("x-should-retry", "").lower()
    if said in ("true", "false"):
        return said == "true"
    return outcome.status in (408, 429) or outcome.status >= 500


def pause_before(attempt: int, outcome: Response | Failure, chance: float) -> float | None:
    """Seconds before sending number ``attempt`` (2 is the first repetition); None for never.

    What the server asks for, or else twice as long each time, from half a second to eight.
    ``chance``, 0 to 1, takes up to a quarter off that, so that many clients come apart.

    >>> [pause_before(attempt, Failure("reset"), 0.0) for attempt in (2, 3, 4, 9)]
    [0.5, 1.0, 2.0, 8.0]
    >>> pause_before(2, Response(429, {"retry-after": "3"}), 0.5)
    3.375
    >>> pause_before(2, Response(429, {"retry-after": "600"}), 0.0)
    """
    asked = retry_after(outcome.headers) if isinstance(outcome, Response) else None
    if asked is not None:
        # Never earlier than asked; a little later for some, so that they do not all come at once.
        return asked * (1 + chance / 4) if asked <= LONGEST_PAUSE else None
    backoff = min(_FIRST_PAUSE * 2.0 ** (attempt - 2), _LONGEST_BACKOFF)
    return backoff * (1 - chance / 4)
