"""When a crashed child may start again, and when to give up. Pure; times in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Exponential backoff with a limit on crashes in a row.

    A crash counts as "in a row" with the one before it unless the child had
    been ready for ``stable_after`` seconds in between. After ``limit`` such
    crashes the child is in a crash loop and is not started again.
    """

    first_delay: float = 0.5
    factor: float = 2.0
    max_delay: float = 30.0
    limit: int = 5
    stable_after: float = 60.0

    def count(self, crashes: int, ready_for: float) -> int:
        """Return the crashes in a row, now that one more has happened.

        ``crashes`` is the count before, ``ready_for`` how long the child had
        been ready (0 when it never was).

        >>> RestartPolicy().count(2, ready_for=3.0)
        3
        >>> RestartPolicy().count(2, ready_for=60.0)
        1
        """
        return 1 if ready_for >= self.stable_after else crashes + 1

    def delay(self, crashes: int) -> float | None:
        """Return the wait before the next start, or None when it is time to give up.

        ``crashes`` is the number of crashes in a row, the latest included.

        >>> [RestartPolicy(limit=4).delay(n) for n in (1, 2, 3, 4)]
        [0.5, 1.0, 2.0, None]
        >>> RestartPolicy(limit=100).delay(50)
        30.0
        """
        if crashes >= self.limit:
            return None
        return float(min(self.max_delay, self.first_delay * self.factor ** (crashes - 1)))
