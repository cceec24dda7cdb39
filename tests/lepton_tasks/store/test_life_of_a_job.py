"""Any order of events, on both databases: terminal is final, no stale write, nothing lost.

``LEPTON_TEST_EXAMPLES=5000`` runs as many sequences on each database.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, text, update

from lepton_tasks.errors import Conflict
from lepton_tasks.in_work import InWork
from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.queues import Priority
from lepton_tasks.states import TERMINAL, WAITING, BatchState, JobState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.recovery import ATTEMPTS_TO_SUSPECT
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow
from tests.lepton_tasks.store.conftest import empty
from tests.support.lives import TASKS, TENANT, a_job
from tests.support.postgres import TestPostgres

EXAMPLES = int(os.environ.get("LEPTON_TEST_EXAMPLES", "100"))
RESULT = '{"outputs":[{}]}'
ERROR = '{"code":"model_error","message":"no"}'
BATCH = "batch_1"
CLOCK_TICK = 0.002
"""So suspects of two recoveries never tie on SQLite's clock, whose ties would depend on chance."""

SELDOM = st.integers(0, 2).map(lambda number: number == 2)
WORKERS = st.sampled_from(["w1", "w2"])

jobs = JobRow.__table__  # type: ignore[attr-defined]


@dataclass
class Known:
    """What must be true of a job."""

    items: int
    in_batch: bool
    state: JobState = JobState.QUEUED
    fence: int = 0
    attempts: int = 0
    holder: str | None = None
    late: bool = False
    cancelled: bool = False
    suspected: bool = False
    retries: int = 0
    put_off: bool = False
    places: dict[int, int] = field(default_factory=dict)
    unplaced: int = 0

    @property
    def may_run(self) -> bool:
        return not (self.late or self.put_off)

    def wait_again(self) -> None:
        self.holder = None
        self.state = JobState.SUSPECT if self.suspected else JobState.QUEUED

    def crashed_alone(self, place: int | None) -> bool:
        """Count it; True when it was the last."""
        if self.items == 1:
            place = 0
        if place is None:
            self.unplaced += 1
        else:
            self.places[place] = self.places.get(place, 0) + 1
        hopeless = [place for place, count in self.places.items() if count >= 3]
        return self.unplaced >= 3 or len(hopeless) == self.items


class Life(RuleBasedStateMachine):
    """Events in any order, and beside the store a model of what should come of them.

    The world is small, so that events meet: two workers, a handful of jobs.
    """

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Known] = {}
        self.claims: list[ClaimedJob] = []
        self.ended: dict[str, InWork | None] = {}  # workers whose jobs nobody has taken back yet
        self.done = self.failed = self.total = 0
        self.sealed = False

    @initialize()
    def begin(self) -> None:
        empty(self.store)
        self.store.batches.create(TENANT, BATCH, TASKS[0], Priority.BULK, "f")
        for worker in ("w1", "w2"):
            self.store.leases.register(worker, worker, TASKS, 600)
        for number in range(3):
            self._submit(1 + number % 2, number < 2)

    def _submit(self, items: int, in_batch: bool) -> None:
        shard = {"batch_id": BATCH, "ordinal": self.total} if in_batch else {}
        job = a_job(*("text",) * items, **shard)
        self.store.jobs.insert([job])
        self.known[job.id] = Known(items, in_batch)
        self.total += items if in_batch else 0

    def _in(self, *states: JobState) -> list[str]:
        return [one for one, job in self.known.items() if job.state in states]

    def _held_by(self, worker: str) -> list[str]:
        return [one for one, job in self.known.items() if job.holder == worker]

    # What may happen.

    @precondition(lambda self: len(self._in(*TERMINAL)) + 3 > len(self.known))
    @rule(items=st.integers(1, 2), in_batch=st.booleans())
    def submit(self, items: int, in_batch: bool) -> None:
        self._submit(items, in_batch and not self.sealed)

    @rule(worker=WORKERS, count=st.integers(1, 3), data=st.data())
    def claim(self, worker: str, count: int, data: st.DataObject) -> None:
        """A fetch of messages, one perhaps the duplicate of a job that is elsewhere by now."""
        other = data.draw(st.sampled_from(list(self.known)))
        wanted = list(dict.fromkeys([*self._in(JobState.QUEUED)[:count], other]))
        expected = [
            one
            for one in wanted
            if self.known[one].state is JobState.QUEUED and self.known[one].may_run
        ]
        taken = self.store.claims.claim(worker, wanted)
        assert [claim.id for claim in taken] == expected
        self._taken(worker, taken)

    @precondition(lambda self: self._in(JobState.SUSPECT))
    @rule(worker=WORKERS)
    def claim_suspect(self, worker: str) -> None:
        waiting = self._on_time(JobState.SUSPECT)
        taken = self.store.suspects.claim(worker, TASKS)
        assert len(taken) == min(1, len(waiting))
        for claim in taken:
            assert claim.crashes is not None
            assert claim.crashes.places == self.known[claim.id].places
        self._taken(worker, taken)

    def _taken(self, worker: str, taken: list[ClaimedJob]) -> None:
        self.claims += taken
        for claim in taken:
            job = self.known[claim.id]
            assert job.state in WAITING
            job.state, job.holder = JobState.RUNNING, worker
            job.fence += 1
            job.attempts += 1
            assert (claim.fence, claim.retries) == (job.fence, job.retries)

    def _draw_claim(self, data: st.DataObject) -> tuple[ClaimedJob, bool]:
        """A claim, stale ones too, and whether it should hold; of a running job if there is one."""
        running = [one for one in self.claims if self.known[one.id].state is JobState.RUNNING]
        claim = data.draw(st.sampled_from(running or self.claims))
        job = self.known[claim.id]
        return claim, job.state is JobState.RUNNING and job.fence == claim.fence

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["succeeds", "fails", "is cancelled"]))
    def finish(self, data: st.DataObject, how: str) -> None:
        claim, valid = self._draw_claim(data)
        done = FinishedJob(
            claim,
            RESULT if how == "succeeds" else None,
            ERROR if how == "fails" else None,
            cancelled=how == "is cancelled",
        )
        assert self.store.claims.finish([done]) == ({claim.id} if valid else set())
        if valid:
            job = self.known[claim.id]
            self._end(job, JobState.CANCELLED if job.cancelled else done.state)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim, valid = self._draw_claim(data)
        assert self.store.claims.release([claim]) == ([claim.id] if valid else [])
        if valid:
            self.known[claim.id].attempts -= 1
            self.known[claim.id].wait_again()

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), later=st.booleans())
    def retry(self, data: st.DataObject, later: bool) -> None:
        claim, valid = self._draw_claim(data)
        job = self.known[claim.id]
        valid = valid and not job.cancelled and not job.late
        retried = self.store.claims.retry([(claim, 600.0 if later else 0.0)])
        assert retried == ({claim.id} if valid else set())
        if valid:
            job.retries += 1
            job.put_off = later
            job.wait_again()

    @precondition(lambda self: any(job.put_off for job in self.known.values()))
    @rule()
    def time_passes(self) -> None:
        with self.store.database.write(durable=False) as connection:
            connection.execute(update(jobs).where(jobs.c.run_after > now()).values(run_after=1.0))
        for job in self.known.values():
            job.put_off = False

    @rule(data=st.data(), now=SELDOM)
    def cancel(self, data: st.DataObject, now: bool) -> None:
        if not now:
            return
        job_id = data.draw(st.sampled_from(list(self.known)))
        job = self.known[job_id]
        self.store.jobs.cancel(TENANT, job_id)
        if job.state in WAITING:
            job.cancelled = True
            self._end(job, JobState.CANCELLED)
        elif job.state is JobState.RUNNING:
            job.cancelled = True

    @rule(data=st.data(), now=SELDOM)
    def grow_late(self, data: st.DataObject, now: bool) -> None:
        if not now:
            return
        job_id = data.draw(st.sampled_from(list(self.known)))
        with self.store.database.write(durable=False) as connection:
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(deadline=1.0))
        self.known[job_id].late = True

    @precondition(lambda self: any(job.late for job in self.known.values()))
    @rule()
    def expire(self) -> None:
        late = [one for one in self._in(*WAITING) if self.known[one].late]
        expired = self.store.outbox.expire_deadlines() + self.store.suspects.expire_deadlines()
        assert expired == len(late)
        for one in late:
            self._end(self.known[one], JobState.EXPIRED)

    @precondition(lambda self: self._in(JobState.RUNNING))
    @rule(seen=st.booleans(), data=st.data())
    def lose(self, seen: bool, data: st.DataObject) -> None:
        """A worker dies; its supervisor saw what it was at, or nobody did."""
        workers = {job.holder for job in self.known.values() if job.holder}
        worker = data.draw(st.sampled_from(sorted(workers)))
        if worker in self.ended:
            return
        at = data.draw(st.lists(st.sampled_from(self._held_by(worker)), unique=True))
        self._die(worker, [(one, 0) for one in at] if seen else None)

    def _die(self, worker: str, at: list[tuple[str, int]] | None) -> None:
        self.ended[worker] = None if at is None else InWork.of(at)
        if at is None:
            self.store.leases.end_host(worker)
        else:
            self.store.leases.end(worker, InWork.of(at))

    @rule(worker=WORKERS, times=st.integers(1, 3), seen=st.booleans(), data=st.data())
    def crash(self, worker: str, times: int, seen: bool, data: st.DataObject) -> None:
        """Whole lives of a worker: it takes a suspect and more, dies of one, and comes back."""
        for _ in range(times):
            self.come_back(worker)
            self.claim_suspect(worker)
            self._taken(worker, self.store.claims.claim(worker, self._on_time(JobState.QUEUED)))
            held = self._held_by(worker)
            if not held:
                return
            suspects = [one for one in held if self.known[one].suspected]
            at = data.draw(st.sampled_from(suspects * 3 + held))
            # Which suspect came is the database's choice, so what is drawn must not depend on it.
            place = data.draw(st.integers(0, 5)) % self.known[at].items
            self._die(worker, [(at, place)] if seen else None)
            self.recover()

    def _on_time(self, state: JobState) -> list[str]:
        return [one for one in self._in(state) if self.known[one].may_run]

    @precondition(lambda self: self.ended)
    @rule(worker=WORKERS)
    def come_back(self, worker: str) -> None:
        """It was only slow: it takes its lease again and keeps what was not taken back."""
        assert self.store.leases.renew(worker, 600) == (worker not in self.ended)
        self.store.leases.register(worker, worker, TASKS, 600)
        self.ended.pop(worker, None)

    @precondition(lambda self: self.ended)
    @rule()
    def recover(self) -> None:
        before = {one: job.state for one, job in self.known.items()}
        found = self.store.recovery.recover()
        time.sleep(CLOCK_TICK)
        for worker, in_work in self.ended.items():
            self._take_back(worker, in_work)
        states = [job.state for one, job in self.known.items() if before[one] != job.state]
        assert found.queued == states.count(JobState.QUEUED)
        assert found.suspects == states.count(JobState.SUSPECT)
        assert len(found.dead) == states.count(JobState.DEAD)
        assert len(found.cancelled) == states.count(JobState.CANCELLED)

    def _take_back(self, worker: str, in_work: InWork | None) -> None:
        for one, job in self.known.items():
            if job.state is not JobState.RUNNING or job.holder != worker:
                continue
            named = in_work is None or in_work.names(one)
            if job.cancelled:
                self._end(job, JobState.CANCELLED)
            elif job.suspected and named:
                place = None if in_work is None else in_work.place_of(one)
                if job.crashed_alone(place):
                    self._end(job, JobState.DEAD)
                else:
                    job.wait_again()
            else:
                lost = job.attempts - job.retries
                unseen = in_work is None and lost >= ATTEMPTS_TO_SUSPECT
                job.suspected = job.suspected or unseen or (in_work is not None and named)
                job.wait_again()

    @precondition(lambda self: self._in(*TERMINAL))
    @rule(data=st.data())
    def redrive(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._in(JobState.DEAD) or self._in(*TERMINAL)))
        job = self.known[job_id]
        allowed = job.state is JobState.DEAD and (
            not job.in_batch or (self.sealed and self.done < self.total)
        )
        try:
            self.store.dead_letters.redrive(job_id, "ops")
        except Conflict as error:
            assert not allowed
            assert (error.code == "not_dead") == (job.state is not JobState.DEAD)
            return
        assert allowed
        if job.in_batch:
            self.done -= job.items
            self.failed -= job.items
        self.known[job_id] = Known(job.items, job.in_batch, fence=job.fence)

    @precondition(lambda self: not self.sealed)
    @rule(now=SELDOM)
    def seal(self, now: bool) -> None:
        if now:
            self.sealed = True
            self.store.batches.seal(TENANT, BATCH, self.total)

    def _end(self, job: Known, state: JobState) -> None:
        job.state, job.holder = state, None
        if job.in_batch:
            self.done += job.items
            self.failed += job.items if state is not JobState.SUCCEEDED else 0

    # What must always be true.

    @invariant()
    def the_rows_are_as_known(self) -> None:
        if not self.known:
            return
        with self.store.database.read() as connection:
            rows = {row.id: row for row in connection.execute(select(jobs)).all()}
        assert rows.keys() == self.known.keys()
        for one, job in self.known.items():
            row = rows[one]
            assert (row.state, row.fence, row.attempts) == (job.state, job.fence, job.attempts)
            assert row.retries == job.retries
            assert row.solo_crashes == sum(job.places.values()) + job.unplaced
            assert (row.finished_at is not None) == (job.state in TERMINAL)
            assert (row.suspected_at is not None) == job.suspected
            if job.state is JobState.RUNNING:
                assert row.worker_id == job.holder
            if job.state in WAITING:
                assert (row.worker_id, row.claim_id) == (None, None)

    @invariant()
    def the_batch_counts_are_right(self) -> None:
        if not self.known:
            return
        batch = self.store.batches.get(TENANT, BATCH)
        assert (batch.done_items, batch.failed_items) == (self.done, self.failed)
        complete = self.sealed and self.done == self.total
        assert batch.state is (BatchState.COMPLETED if complete else BatchState.IN_PROGRESS)


@pytest.fixture(params=["sqlite", "postgresql"])
def fast_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that waits for no disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as home:
        url = f"sqlite:///{home}/store.db"
        if request.param == "postgresql":
            server: TestPostgres = request.getfixturevalue("postgres")
            url = server.fresh_database()
        database = Database(url)
        upgrade_schema(database)
        if request.param == "postgresql":
            name = database.engine.url.database
            with database.write() as connection:
                connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
            database.close()  # for connections from now on
        store = Store(database)
        yield store
        store.close()


@pytest.mark.timeout(3600 if EXAMPLES > 1000 else 180)
def test_any_order_of_events(fast_store: Store) -> None:
    class LifeHere(Life):
        store = fast_store

    run_state_machine_as_test(
        LifeHere,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
