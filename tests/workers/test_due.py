"""What is claimed without a message, and when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lepton_tasks.jobs import ClaimedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.store.due import Queue
from lepton_tasks.store.store import Store, open_store
from workers.broker_watch import BrokerWatch
from workers.due import DueIntake

HIGH, NORMAL, BULK = Priority


class Worker:
    """The parts of a worker around it: an intake with some room, a holder that keeps all."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 0.0
        self.broker = BrokerWatch(lambda: self.now)
        self.queues: list[Queue] = [("moderation", priority) for priority in Priority]
        self.rooms = {"all": 100, "urgent": 0}
        self.brought_at = float("-inf")
        self.held: list[str] = []
        parts: Any = self
        self.allowed: dict[str, int] = {}
        self.due = DueIntake(
            "w1",
            lambda: self.queues,
            store,
            self.broker,
            lambda: parts,
            parts,
            parts,
            parts,
        )

    def allowances(self) -> dict[str, int]:
        return self.allowed

    def spend_without_messages(self, task: str, jobs: int) -> None:
        self.allowed[task] -= jobs

    def room(self) -> int:
        return self.rooms["all"]

    def urgent_room(self) -> int:
        return self.rooms["urgent"]

    def saw(self, claims: Sequence[ClaimedJob]) -> None:
        self.rooms["all"] -= len(claims)

    def hold(self, claims: Sequence[tuple[ClaimedJob, Any]]) -> None:
        assert all(request == claim.id for claim, request in claims)
        self.held += [claim.id for claim, _ in claims]

    def without_message(self, job_id: str, task: str) -> str:
        return job_id

    def put(self, *priorities: Priority) -> list[str]:
        jobs = [
            NewJob("a", "moderation", Payload(("好",), True), 1, priority)
            for priority in priorities
        ]
        self.store.jobs.insert(jobs)
        return [job.id for job in jobs]

    def age(self, seconds: float) -> None:
        with self.store.database.write() as connection:
            connection.execute(
                text(
                    "UPDATE jobs SET published_at = published_at - :s, run_after = run_after - :s"
                ),
                {"s": seconds},
            )

    def look(self) -> list[str]:
        before = len(self.held)
        self.due.look()
        return self.held[before:]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(open_store(Settings(home=tmp_path)))


def test_nothing_while_messages_bring_jobs(worker: Worker) -> None:
    worker.put(NORMAL)
    worker.age(600)
    worker.brought_at = float("inf")
    assert worker.look() == []


def test_an_idle_worker_takes_what_is_overdue_then_what_follows_sooner(worker: Worker) -> None:
    ids = worker.put(NORMAL)
    assert worker.look() == []
    worker.age(600)
    assert worker.look() == ids
    following = worker.put(NORMAL)
    worker.age(2)
    assert worker.look() == following
    worker.brought_at = float("inf")  # a message brought one
    worker.put(NORMAL)
    worker.age(2)
    assert worker.look() == []


def test_all_that_is_due_while_the_broker_is_away_and_no_more_once_it_is_back(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.brought_at = float("inf")
    worker.broker.missed()
    ids = worker.put(NORMAL, BULK, HIGH)
    assert sorted(worker.look()) == sorted(ids)
    assert worker.look() == []
    for worker.now in (10.0, 12.0):
        worker.broker.answered()
    worker.put(NORMAL)
    assert worker.look() == []
    assert [message[:22] for message in caplog.messages] == [
        "Redis does not answer;",
        "Redis answers again; j",
    ]


def test_no_more_than_there_is_room_for_and_urgent_ones_beyond_it(worker: Worker) -> None:
    worker.broker.missed()
    worker.put(*[NORMAL] * 5)
    worker.rooms["all"] = 3
    assert len(worker.look()) == 3
    [urgent] = worker.put(HIGH)
    assert worker.look() == []
    worker.rooms["urgent"] = 3
    assert worker.look() == [urgent]


def test_a_queue_that_is_not_consumed_is_left_alone(worker: Worker) -> None:
    worker.broker.missed()
    worker.put(NORMAL, BULK)
    worker.queues = [("moderation", HIGH)]
    assert worker.look() == []
    worker.queues = []
    assert worker.look() == []


def test_a_limit_holds_without_messages_too(worker: Worker) -> None:
    worker.broker.missed()
    worker.put(*[NORMAL] * 5)
    worker.allowed = {"moderation": 2, "other": 1}
    assert len(worker.look()) == 2
    assert worker.look() == []
    assert worker.allowed == {"moderation": 0, "other": 1}
    worker.allowed = {}
    assert len(worker.look()) == 3


def test_it_asks_seldom_where_there_is_nothing(worker: Worker) -> None:
    worker.broker.missed()
    pauses = [worker.due.look() for _ in range(8)]
    assert pauses == sorted(pauses)
    worker.put(NORMAL)
    assert worker.due.look() < pauses[0]
