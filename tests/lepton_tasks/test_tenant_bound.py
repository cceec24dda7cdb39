"""How long a tenant's line may get, by what one process counts and adds itself."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import Overloaded
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.tenant_bound import (
    FIRST_WAIT,
    LEAST_WAIT,
    MOST_LINES,
    MOST_WAIT,
    Line,
    TenantBound,
    lines_of,
)

LINE: Line = ("acme", "moderation", Priority.NORMAL)
URGENT: Line = ("acme", "moderation", Priority.HIGH)


class Bench:
    """A bound, a clock, and a store of one number a line."""

    def __init__(self, most: int = 100) -> None:
        self.now = 1_000.0
        self.stored: dict[Line, int] = {}
        self.bound = TenantBound(most, lambda: self.now)
        self.counted = 0

    def submit(self, jobs: int = 1, line: Line = LINE, fails: bool = False) -> None:
        counts = {line: jobs}
        for one in self.bound.unsure(counts):
            self.counted += 1
            self.bound.saw(one, self.stored.get(one, 0))
        self.bound.enter(counts)
        if not fails:
            self.stored[line] = self.stored.get(line, 0) + jobs
        self.bound.leave(counts, {} if fails else counts)

    def refused(self, line: Line = LINE) -> float:
        with pytest.raises(Overloaded) as refusal:
            self.submit(1, line)
        return refusal.value.retry_after


def test_jobs_are_let_in_up_to_the_bound() -> None:
    bench = Bench()
    for _ in range(100):
        bench.submit()
    bench.refused()
    assert bench.stored[LINE] == 100


def test_a_call_that_finds_room_takes_all_of_its_jobs() -> None:
    bench = Bench()
    bench.submit(99)
    bench.submit(1_000)
    bench.refused()


def test_lines_do_not_count_for_each_other() -> None:
    bench = Bench()
    bench.submit(100)
    bench.submit(1, URGENT)
    bench.submit(1, ("other", "moderation", Priority.NORMAL))
    with pytest.raises(Overloaded, match=r"100 jobs wait in moderation\.normal .* have 100 there"):
        bench.bound.enter({URGENT: 1, LINE: 1})
    assert bench.bound.unsure({URGENT: 1}) == []


def test_what_failed_or_was_a_repetition_takes_no_room() -> None:
    bench = Bench()
    for _ in range(10):
        bench.submit(50, fails=True)
    bench.submit(100)


def test_what_is_on_the_way_takes_room() -> None:
    bench = Bench()
    bench.submit(0)
    bench.bound.enter({LINE: 100})
    bench.refused()
    bench.bound.leave({LINE: 100}, {})
    bench.submit()


def test_others_jobs_are_seen_when_the_line_is_counted_again() -> None:
    bench = Bench()
    bench.submit(7)
    bench.stored[LINE] += 150
    bench.submit()  # within the second
    bench.now += 1.1
    bench.refused()


def test_a_line_is_counted_again_only_when_it_might_be_full() -> None:
    bench = Bench(most=1_600)
    for _ in range(50):
        bench.submit()
        bench.now += 10
    assert bench.counted == 1
    for _ in range(150):
        bench.submit()
    assert bench.counted == 2  # a sixteenth of the room has been used, 100 jobs
    bench.submit(1_400)
    for _ in range(50):
        bench.refused()
    assert bench.counted == 2
    bench.now += 1.1
    bench.refused()
    assert bench.counted == 3


def test_counting_takes_a_fiftieth_of_the_time() -> None:
    bench = Bench()
    bench.submit(100)
    bench.now += 1.1
    assert bench.bound.unsure({LINE: 1}) == [LINE]
    assert bench.bound.unsure({LINE: 1}) == []  # one caller counts
    bench.now += 0.1
    bench.bound.saw(LINE, 100)
    for _ in range(4):
        bench.now += 1.0
        bench.refused()
    assert bench.counted == 1
    bench.now += 1.1
    bench.refused()
    assert bench.counted == 2


def test_a_count_that_failed_is_made_again() -> None:
    bench = Bench()
    assert bench.bound.unsure({LINE: 1}) == [LINE]
    bench.bound.missed(LINE)
    bench.bound.enter({LINE: 100})
    bench.bound.leave({LINE: 100}, {LINE: 100})
    assert bench.bound.unsure({LINE: 1}) == []
    bench.now += 1.1
    assert bench.bound.unsure({LINE: 1}) == [LINE]


def test_nobody_is_refused_by_what_was_known_long_ago() -> None:
    """One caller counts, others come meanwhile."""
    bench = Bench()
    bench.submit(100)
    bench.now += 3_600
    assert bench.bound.unsure({LINE: 1}) == [LINE]
    bench.bound.enter({LINE: 1})
    bench.bound.leave({LINE: 1}, {})
    bench.bound.saw(LINE, 0)
    bench.submit()


def test_jobs_stored_while_the_line_is_counted_are_not_forgotten() -> None:
    bench = Bench()
    assert bench.bound.unsure({LINE: 1}) == [LINE]
    bench.submit(60)
    bench.bound.saw(LINE, 0)
    bench.submit(40)
    bench.refused()


def test_how_long_to_wait_follows_the_rate_at_which_jobs_leave() -> None:
    bench = Bench(most=1_600)
    bench.submit(1_600)
    assert bench.refused() == FIRST_WAIT
    for _ in range(60):
        bench.now += 2.0
        bench.stored[LINE] -= 100  # fifty a second
        bench.submit(100)
    # A sixteenth of the bound is to become free.
    assert bench.refused() == pytest.approx(100 / 50, rel=0.01)
    for _ in range(60):
        bench.now += 2.0
        bench.stored[LINE] -= 1_000
        bench.submit(1_000)
    assert bench.refused() == LEAST_WAIT


def test_where_nothing_leaves_the_wait_is_the_longest() -> None:
    bench = Bench()
    bench.submit(100)
    for _ in range(3):
        bench.now += 1.1
        wait = bench.refused()
    assert wait == MOST_WAIT


def test_lines_of_many_tenants_are_forgotten_again() -> None:
    bench = Bench()
    bench.submit(100)
    bench.refused()
    for number in range(MOST_LINES):
        bench.submit(1, (f"t{number}", "moderation", Priority.NORMAL))
    bench.refused()
    assert bench.counted == MOST_LINES + 2


def test_jobs_are_counted_by_line() -> None:
    jobs = [
        NewJob("acme", "moderation", Payload(("好",), single=True), 1, priority)
        for priority in (Priority.NORMAL, Priority.HIGH, Priority.NORMAL)
    ]
    assert lines_of(jobs) == {LINE: 2, URGENT: 1}
