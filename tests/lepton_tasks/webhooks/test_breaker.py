from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lepton_tasks.webhooks.breaker import Breaker, BreakerLimits

LIMITS = BreakerLimits(failures=3, pause=5.0, longest=30.0)


@dataclass(frozen=True)
class Sent:
    probe: bool


class Life(RuleBasedStateMachine):
    """Any order of sendings and outcomes, beside the plainest account of the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(LIMITS)
        self.now = 0.0
        self.out: list[Sent] = []
        self.in_a_row = 0
        self.opened_until: float | None = None
        self.pause = LIMITS.pause

    @rule(seconds=st.sampled_from([0.5, 5.0, 10.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.permits(self.now))
    @rule()
    def send(self) -> None:
        self.out.append(Sent(self.breaker.begin(self.now)))
        assert self.out[-1].probe == (self.opened_until is not None)

    @precondition(lambda self: self.out)
    @rule(place=st.integers(0), well=st.sampled_from([True, False, False, False, None]))
    def end(self, place: int, well: bool | None) -> None:
        sent = self.out.pop(place % len(self.out))
        self.breaker.ended(well=well, probe=sent.probe, now=self.now)
        if well:
            self.in_a_row, self.opened_until, self.pause = 0, None, LIMITS.pause
        elif well is False and sent.probe and self.opened_until is not None:
            self.pause = min(2 * self.pause, LIMITS.longest)
            self.opened_until = self.now + self.pause
        elif well is False and self.opened_until is None:
            self.in_a_row += 1
            if self.in_a_row >= LIMITS.failures:
                self.opened_until = self.now + self.pause

    @invariant()
    def it_permits_what_the_rules_permit(self) -> None:
        if self.opened_until is None:
            assert self.breaker.permits(self.now)
        else:
            probing = any(sent.probe for sent in self.out)
            assert self.breaker.permits(self.now) == (self.now >= self.opened_until and not probing)

    @invariant()
    def there_is_one_probe_at_most(self) -> None:
        assert sum(sent.probe for sent in self.out) <= 1

    @invariant()
    def it_says_when_it_opens(self) -> None:
        at = self.breaker.opens_at(self.now)
        assert (at == self.now) == self.breaker.permits(self.now)
        assert at is None or self.now <= at <= self.now + LIMITS.longest

    @invariant()
    def it_is_calm_only_where_nothing_is_remembered(self) -> None:
        assert self.breaker.calm == (self.opened_until is None and self.in_a_row == 0)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
