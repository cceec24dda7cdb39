"""How much is fetched: never more than the window, whatever a message turns out to hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from tests.support.held import Ignored, LengthEngine
from workers.engines.base import Engine
from workers.held import HeldJobs, Input
from workers.holder import Holder
from workers.intake import MAX_UNCLAIMED, Intake, Received
from workers.loading import Loading
from workers.outcomes import Failed
from workers.preparer import Preparer
from workers.refusal import Refused
from workers.window import Window

WINDOW = 256


class FakeModels:
    """One model that is there, one that comes when it is told to, and no other."""

    def __init__(self) -> None:
        self.tasks = {"moderation": get_task("moderation")}
        self.small: Any = LengthEngine()
        self.large: Any = LengthEngine()
        self.loading = Loading()

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        if model is None:
            return self.default(task)
        return self.loading if model == "large" else Refused("unknown_model", "no such model")

    def is_demo(self, model: str) -> bool:
        return False

    def default(self, task: str) -> Engine:
        small: Engine = self.small
        return small


class Bench:
    def __init__(self, store: Store) -> None:
        self.store = store
        ignored: Any = Ignored()
        self.models = FakeModels()
        self.failures: list[tuple[str, str]] = []
        self.preparer = Preparer(ignored, ignored, ignored, 30.0, ignored)
        self.held = HeldJobs()
        self.holder = Holder(self.models, self.held, self.preparer, self)
        window = Window(WINDOW, (self.holder, self.preparer))
        self.intake = Intake("w1", store, window, self.holder, ignored)

    def fail(self, inputs: Sequence[Input], why: Failed) -> None:
        """Stand in for the finisher."""
        self.failures += [(one.value, why.code) for one in inputs]

    def fetch(self, items_per_job: int) -> int:
        """Fetch as much as there is room for, as the transport does, and claim it."""
        room = self.intake.room()
        texts = tuple(f"text {n}" for n in range(items_per_job))
        jobs = [NewJob("t", "moderation", Payload(texts, False), 1) for _ in range(room)]
        if jobs:
            self.store.jobs.insert(jobs)
            self.intake._claim([Received(None, job.id) for job in jobs])
        return room


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(open_store(Settings(home=tmp_path)))


@pytest.mark.parametrize("items_per_job", [1, 4, 32])
def test_fetching_stops_at_the_window(bench: Bench, items_per_job: int) -> None:
    while bench.fetch(items_per_job):
        pass
    assert WINDOW - 64 <= len(bench.preparer) <= WINDOW + items_per_job


def test_unclaimed_messages_count_too(bench: Bench) -> None:
    before = bench.intake.room()
    for number in range(before):
        bench.intake.put(Received(None, f"job_{number}"))
    assert 0 < before <= MAX_UNCLAIMED
    assert bench.intake.room() == 0


def test_a_closed_intake_fetches_nothing(bench: Bench) -> None:
    bench.intake.start()
    bench.intake.close()
    assert bench.intake.room() == 0


def test_a_job_of_another_task_goes_back_to_its_own_queue(bench: Bench) -> None:
    other = NewJob("t", "translation", Payload(("text",), True), 1)
    mine = NewJob("t", "moderation", Payload(("text",), True), 1)
    bench.store.jobs.insert([other, mine])
    bench.intake._claim([Received(None, other.id), Received(None, mine.id)])
    assert len(bench.preparer) == 1
    assert bench.store.jobs.get("t", other.id).state is JobState.QUEUED
    assert bench.store.outbox.unpublished_queues() == [("translation", Priority.NORMAL)]


def test_a_full_window_has_room_for_urgent_messages(bench: Bench) -> None:
    while bench.fetch(4):
        pass
    assert bench.intake.room() == 0
    assert bench.intake.urgent_room() > 0


def test_a_claimed_job_can_be_cancelled_by_its_id(bench: Bench) -> None:
    job = NewJob("t", "moderation", Payload(("text",), True), 1)
    bench.store.jobs.insert([job])
    bench.intake._claim([Received(None, job.id)])
    bench.store.jobs.cancel("t", job.id)
    assert bench.store.claims.cancelled("w1") == [job.id]
    assert bench.store.claims.cancelled("w2") == []
    bench.held.cancel(bench.store.claims.cancelled("w1"))
    [left] = bench.preparer._backlog.drain()
    assert left.job.cancelled


def put(bench: Bench, model: str) -> NewJob:
    job = NewJob("t", "moderation", Payload(("text",), True, {"model": model}), 1)
    bench.store.jobs.insert([job])
    bench.intake._claim([Received(None, job.id)])
    return job


def test_a_job_waits_for_the_model_that_it_names(bench: Bench) -> None:
    put(bench, "large")
    assert (len(bench.holder), len(bench.preparer)) == (1, 0)
    bench.models.loading.settle(bench.models.large)
    assert (len(bench.holder), len(bench.preparer)) == (0, 1)
    [left] = bench.preparer._backlog.drain()
    assert left.job.engine is bench.models.large


def test_a_model_that_is_not_there_fails_its_jobs_alone(bench: Bench) -> None:
    put(bench, "unheard of")
    put(bench, "large")
    bench.models.loading.settle(Refused("model_unavailable", "broken"))
    assert bench.failures == [("text", "unknown_model"), ("text", "model_unavailable")]
    assert len(bench.preparer) == 0


def test_a_job_that_waits_for_its_model_is_given_back_at_the_end(bench: Bench) -> None:
    job = put(bench, "large")
    assert [one.claim.id for one in bench.holder.close()] == [job.id]
    bench.models.loading.settle(bench.models.large)
    assert len(bench.preparer) == 0
