"""How many padded tokens the next micro-batch may hold: pure, the clock is passed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBudget:
    """The tuned budget, lowered while urgent work is about or memory was short.

    A large micro-batch costs a waiting urgent job its whole duration. So while
    high-priority work was seen in the last ``memory_seconds``, the budget is what the
    device computes in ``cap_seconds``, by the rate of past micro-batches.

    >>> budget = TokenBudget(2048, cap_seconds=0.1)
    >>> budget.observe(tokens=1000, seconds=0.2)
    >>> budget.tokens(now=50.0)
    2048
    >>> budget.saw_urgent(now=50.0)
    >>> budget.tokens(now=51.0), budget.tokens(now=99.0)
    (500, 2048)
    """

    most: int
    cap_seconds: float = 0.1
    memory_seconds: float = 10.0
    least: int = 16
    _rate: float = 0.0
    _urgent_until: float = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        """Learn from a micro-batch that took ``seconds`` (exponential average of tokens/s)."""
        if seconds <= 0:
            return
        rate = tokens / seconds
        self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate

    def saw_urgent(self, now: float) -> None:
        """Remember that high-priority work was about at ``now``."""
        self._urgent_until = now + self.memory_seconds

    def at(self, now: float, urgent: bool) -> int:
        """Budget of a micro-batch that begins ``now``; ``urgent`` says that such work waits."""
        if urgent:
            self.saw_urgent(now)
        return self.tokens(now)

    def tokens(self, now: float) -> int:
        """Budget of a micro-batch that begins ``now``."""
        if now >= self._urgent_until or not self._rate:
            return self.most
        return max(self.least, min(self.most, int(self._rate * self.cap_seconds)))

    def out_of_memory(self) -> None:
        """Halve the budget for good: the device said how much is too much.

        >>> budget = TokenBudget(2048)
        >>> budget.out_of_memory()
        >>> budget.tokens(now=0.0)
        1024
        """
        self.most = max(self.least, self.most // 2)
