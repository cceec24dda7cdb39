"""Three times the work that the workers can do, from one tenant, while another sends a little.

Everything goes through HTTP. An input takes the workers a known time, and what is queued in
Redis and held by a worker is sized to that, as docs/deployment.md says: so what is seen is how
the system shares what it has, not how fast it is.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import func, select

from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from lepton_tasks.store.tables import JobRow
from lepton_tasks.transport.quota import WEIGHTS
from tests.chaos.callers import BUSY, INPUTS, Callers, Seen
from tests.chaos.checker import percentile
from tests.chaos.keys import ApiProcess
from tests.chaos.rig import TASK, Rig, Setup, running

jobs = JobRow.__table__  # type: ignore[attr-defined]

TIMES: Final = 3
"""Offered by the busy tenant: so many times what the workers can do."""
MOST: Final = 40
"""Jobs that a tenant may have waiting in a queue."""
LEAST_GOODPUT: Final = 0.9
BULK_SHARE: Final = WEIGHTS[Priority.BULK] / (WEIGHTS[Priority.BULK] + WEIGHTS[Priority.NORMAL])
SETUP: Final = Setup(
    slots=4,
    item_seconds=0.05,
    settings={
        "tenant_backlog": MOST,
        "publish_window": 4,
        "window_items": 1,
        "token_budget": 1,
    },
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MB by process, the workers' in all; Redis's own count of its data."""

    megabytes: dict[str, float]

    @classmethod
    def of(cls, rig: Rig, api: ApiProcess) -> Memory:
        """What is used now."""
        with rig.redis.client() as client:
            info: Any = client.info("memory")
        used = {
            "API": psutil.Process(api.process.pid).memory_info().rss,
            "workers": sum(child.memory_info().rss for child in rig.children()),
            "Redis": int(info["used_memory"]),
        }
        return cls({name: round(size / 1e6, 1) for name, size in used.items()})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an overload came to. Rates are jobs of the busy tenant's size a second.

    ``longest`` is the most jobs that the busy tenant had waiting in a queue, ``bulk_wait`` the
    longest that a bulk job waited for a worker. ``lost`` jobs were accepted and did not
    succeed, ``unasked`` ones are there though nobody was told that they were accepted.
    """

    peak: float
    goodput: float
    alone: Seen
    beside: Seen
    busy: Seen
    longest: int
    bulk_wait: float
    before: Memory
    after: Memory
    lost: int
    unasked: int

    def wrong(self, timed: bool) -> dict[str, int]:
        """What is not as it should be; what depends on time only where ``timed``."""
        found = self.alone.wrong + self.beside.wrong + self.busy.wrong
        found["lost"] = self.lost
        found["jobs that were refused and are there"] = self.unasked
        found["refusals of the other tenant"] = len(self.beside.waits) + len(self.alone.waits)
        found["runs without a refusal"] = int(not self.busy.waits)
        if self.longest > 2 * MOST:
            found["jobs waiting, bound doubled"] = self.longest
        if timed:
            found += self._slow()
        return {name: count for name, count in found.items() if count > 0}

    def _slow(self) -> Counter[str]:
        found: Counter[str] = Counter()
        if self.goodput < LEAST_GOODPUT * self.peak:
            found["goodput under 90% of the peak, percent"] = round(100 * self.goodput / self.peak)
        if self.bulk_wait > 2 * self.bulk_bound:
            found["bulk wait over its bound, s"] = round(self.bulk_wait)
        alone, beside = p99(self.alone.ends), p99(self.beside.ends)
        if beside > 2 * alone:
            found["p99 of the other over twice alone, percent"] = round(100 * beside / alone)
        for name, size in self.before.megabytes.items():
            if self.after.megabytes[name] > max(1.1 * size, size + 16):
                found[f"memory of {name} grew, MB"] = round(self.after.megabytes[name] - size)
        return found

    @property
    def bulk_bound(self) -> float:
        """Seconds in which a full queue of bulk jobs is done by its share of the workers."""
        return MOST / (BULK_SHARE * self.peak)

    def figures(self) -> dict[str, str]:
        """For the report."""
        answers = [f"{1000 * p99(seen.answers):.0f}" for seen in (self.alone, self.beside)]
        ends = [f"{p99(seen.ends):.2f}" for seen in (self.alone, self.beside)]
        waits = self.busy.waits or [0]
        grown = [
            f"{name} {size:.0f} / {self.after.megabytes[name]:.0f}"
            for name, size in self.before.megabytes.items()
        ]
        return {
            "lost": str(self.lost),
            "offered": f"{self.busy.offered:,} jobs",
            "answered 429": f"{len(self.busy.waits):,}, Retry-After {min(waits)} to {max(waits)} s",
            "peak / goodput": f"{self.peak:.1f} / {self.goodput:.1f} jobs/s "
            f"({self.goodput / self.peak:.0%})",
            "longest queue": f"{self.longest} jobs",
            "longest wait of bulk": f"{self.bulk_wait:.1f} s",
            "the other's p99 alone / beside": f"job {' / '.join(ends)} s, "
            f"answer {' / '.join(answers)} ms",
            "MB before / after": ", ".join(grown),
        }


def p99(times: Sequence[float]) -> float:
    """The 99th percentile; 0 of nothing."""
    return percentile(sorted(times), 0.99) or 0.0


def overload(database_url: str, folder: Path, seconds: float, calm_seconds: float) -> Outcome:
    """Measure the calm tenant alone and the peak, then overload the system for ``seconds``."""
    with running(database_url, folder, SETUP) as rig:
        api = ApiProcess(rig, 0.25)
        try:
            return _run(rig, Callers(rig, api), api, seconds, calm_seconds)
        finally:
            api.kill()


def _run(
    rig: Rig, callers: Callers, api: ApiProcess, seconds: float, calm_seconds: float
) -> Outcome:
    with callers.calm():
        time.sleep(min(2.0, calm_seconds))  # connections are open by then
    with callers.calm() as alone:
        time.sleep(calm_seconds)
    with callers.busy_at_will() as warm:
        time.sleep(min(2.0, calm_seconds))
        peak = _rate(rig, calm_seconds / 2)
    rig.drain()
    with callers.busy(TIMES * peak) as filling:
        time.sleep(max(2.0, calm_seconds / 4))  # the backlog has filled by then
        before = Memory.of(rig, api)
        with callers.calm() as beside, _watched(rig) as longest:
            goodput = _rate(rig, seconds)
        after = Memory.of(rig, api)
    rig.drain()
    told = [one for seen in (alone, warm, filling, beside) for one in seen.accepted]
    succeeded, stored = _stored(rig)
    return Outcome(
        peak=peak,
        goodput=goodput,
        alone=alone,
        beside=beside,
        busy=filling,
        longest=max(longest),
        bulk_wait=_longest_wait(rig),
        before=before,
        after=after,
        lost=len(set(told) - succeeded),
        unasked=stored - callers.accepted,
    )


@contextmanager
def _watched(rig: Rig) -> Iterator[list[int]]:
    """Within the block, note once a second how long the busy tenant's longest queue is."""
    lengths, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            for priority in (Priority.NORMAL, Priority.BULK):
                count = rig.store.jobs.count_queued(BUSY, TASK, priority, 100 * MOST)
                lengths.append(count)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lengths
    finally:
        stop.set()
        watching.join()


def _rate(rig: Rig, seconds: float) -> float:
    """Jobs of the busy tenant's size that end in a second, while so many seconds pass."""
    first, began = _inputs_done(rig), time.monotonic()
    time.sleep(seconds)
    inputs = _inputs_done(rig) - first
    return inputs / INPUTS[BUSY] / (time.monotonic() - began)


def _inputs_done(rig: Rig) -> int:
    with rig.store.database.read() as connection:
        query = select(func.coalesce(func.sum(jobs.c["items"]), 0))
        done = query.where(jobs.c.state == JobState.SUCCEEDED)
        return int(connection.execute(done).scalar_one())


def _longest_wait(rig: Rig) -> float:
    with rig.store.database.read() as connection:
        query = select(func.max(jobs.c.started_at - jobs.c.created_at))
        bulk = query.where(jobs.c.priority == Priority.BULK)
        return float(connection.execute(bulk).scalar_one() or 0.0)


def _stored(rig: Rig) -> tuple[set[str], int]:
    """Ids of the jobs that have succeeded, and how many there are of any kind."""
    stored = rig.history.stored()
    return {job.id for job in stored if job.state is JobState.SUCCEEDED}, len(stored)
