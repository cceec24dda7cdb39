"""How many padded tokens the next micro-batch may hold: pure, the clock is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

L = TypeVar("L")

LEAST_TOKENS = 16
"""No micro-batch is made smaller than this."""


@dataclass(slots=True)
class TokenBudget:
    """The tuned budget of one lane, lowered where a step is capped or memory was short.

    A capped micro-batch holds what the device computes in ``cap_seconds``, by the rate
    of past micro-batches.

    >>> budget = TokenBudget(2048, cap_seconds=0.1)
    >>> budget.observe(tokens=1000, seconds=0.2)
    >>> budget.tokens(capped=False), budget.tokens(capped=True)
    (2048, 500)
    """

    most: int
    cap_seconds: float = 0.1
    _rate: float = 0.0

    def observe(self, tokens: int, seconds: float) -> None:
        """Learn from a micro-batch that took ``seconds`` (exponential average of tokens/s)."""
        if seconds <= 0:
            return
        rate = tokens / seconds
        self._rate = rate if not self._rate else 0.8 * self._rate + 0.2 * rate

    def tokens(self, capped: bool) -> int:
        """Tokens of the next micro-batch."""
        if not capped or not self._rate:
            return self.most
        return max(LEAST_TOKENS, min(self.most, int(self._rate * self.cap_seconds)))

    def out_of_memory(self) -> None:
        """Halve the budget for good: the device said how much is too much.

        >>> budget = TokenBudget(2048)
        >>> budget.out_of_memory()
        >>> budget.tokens(capped=False)
        1024
        """
        self.most = max(LEAST_TOKENS, self.most // 2)


class LaneBudgets(Generic[L]):
    """The budget of each lane, all of them capped while urgent work is about.

    A large micro-batch costs a waiting urgent job its whole duration. So while
    high-priority work was seen in the last ``memory_seconds``, steps are capped.

    >>> class Lane: pass
    >>> lane, budgets = Lane(), LaneBudgets(lambda lane: 2048, cap_seconds=0.1)
    >>> budgets.of(lane).observe(tokens=1000, seconds=0.2)
    >>> budgets.tokens(lane, now=50.0), budgets.saw_urgent(now=50.0)
    (2048, None)
    >>> budgets.tokens(lane, now=51.0), budgets.tokens(lane, now=99.0)
    (500, 2048)
    """

    def __init__(
        self, tuned: Callable[[L], int], cap_seconds: float, memory_seconds: float = 10.0
    ) -> None:
        """``tuned`` gives the padded tokens that suit a lane, asked once."""
        self._tuned = tuned
        self._cap_seconds = cap_seconds
        self._memory_seconds = memory_seconds
        self._urgent_until = 0.0
        self._budgets: WeakKeyDictionary[L, TokenBudget] = WeakKeyDictionary()

    def of(self, lane: L) -> TokenBudget:
        """The budget of ``lane``."""
        budget = self._budgets.get(lane)
        if budget is None:
            budget = self._budgets[lane] = TokenBudget(self._tuned(lane), self._cap_seconds)
        return budget

    def saw_urgent(self, now: float) -> None:
        """Remember that high-priority work was about at ``now``."""
        self._urgent_until = now + self._memory_seconds

    def tokens(self, lane: L, now: float) -> int:
        """Padded tokens of a micro-batch of ``lane`` that begins ``now``."""
        return self.of(lane).tokens(capped=now < self._urgent_until)
