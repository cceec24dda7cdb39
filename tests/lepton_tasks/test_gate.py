"""A tenant with too much waiting is turned away; others and accepted jobs are not concerned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from lepton_tasks.errors import (
    Gone,
    IdempotencyConflict,
    InvalidInput,
    Overloaded,
    StoreUnavailable,
)
from lepton_tasks.gate import Gate
from lepton_tasks.jobs import NewJob, Payload, Submitted
from lepton_tasks.producer import Producer
from lepton_tasks.queues import Priority
from lepton_tasks.requests import JobRequest
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from lepton_tasks.store.insertion import Stored
from lepton_tasks.store.store import Store
from lepton_tasks.tenant_bound import LEAST_WAIT, MOST_WAIT

MOST = 5


@pytest.fixture
def producer(store: Store, settings: Settings, redis_url: str) -> Producer:
    return Producer(
        settings.model_copy(update={"redis_url": redis_url, "tenant_backlog": MOST}), store
    )


def fill(producer: Producer) -> list[Submitted]:
    return [
        producer.submit("moderation", f"第 {n} 个", idempotency_key=f"k{n}") for n in range(MOST)
    ]


def refused(producer: Producer, **more: Any) -> Overloaded:
    with pytest.raises(Overloaded) as refusal:
        producer.submit("moderation", "one more", **more)
    return refusal.value


def test_a_full_line_refuses_and_stores_nothing(producer: Producer) -> None:
    accepted = fill(producer)
    error = refused(producer)
    assert error.code == "backlog_full"
    assert LEAST_WAIT <= error.retry_after <= MOST_WAIT
    assert "5 jobs wait in moderation.normal" in str(error)
    assert "LEPTON_TENANT_BACKLOG" in str(error)
    refused(producer, idempotency_key="new")
    with pytest.raises(Overloaded):
        list(producer.submit_many(JobRequest("moderation", f"{n}") for n in range(3)))
    stored = {job.id for job in producer.store.jobs.page("default", limit=100)}
    assert stored == {one.id for one in accepted}


def test_other_tenants_tasks_and_priorities_are_not_concerned(producer: Producer) -> None:
    fill(producer)
    producer.submit("moderation", "good", tenant="other")
    producer.submit("moderation", "urgent", priority="high")
    refused(producer)


def test_a_job_that_was_accepted_is_found_by_its_key_at_the_bound_too(producer: Producer) -> None:
    accepted = fill(producer)
    again = fill(producer)
    assert [(one.id, one.replayed) for one in again] == [(one.id, True) for one in accepted]
    with pytest.raises(IdempotencyConflict):
        producer.submit("moderation", "something else", idempotency_key="k0")
    requests = [
        JobRequest("moderation", f"第 {n} 个", idempotency_key=f"k{n}") for n in range(MOST)
    ]
    many = list(producer.submit_many(requests))
    assert [one.id for one in many] == [one.id for one in accepted]
    with pytest.raises(Overloaded):  # one of them is new
        list(producer.submit_many([*requests, JobRequest("moderation", "x", idempotency_key="x")]))
    refused(producer, tenant="default", idempotency_key=None)


def test_the_key_of_a_deleted_job_says_so_at_the_bound(producer: Producer) -> None:
    first = producer.submit("moderation", "一", idempotency_key="gone")
    for n in range(MOST - 1):
        producer.submit("moderation", f"{n}")
    refused(producer)
    producer.store.retention.erase("default", first.id)
    with pytest.raises(Gone):
        producer.submit("moderation", "一", idempotency_key="gone")


def test_a_repetition_takes_no_room(producer: Producer) -> None:
    for _ in range(2 * MOST):
        producer.submit("moderation", "一", idempotency_key="same")
    assert len({producer.submit("moderation", f"{n}").id for n in range(MOST - 1)}) == MOST - 1
    refused(producer)


def test_another_process_finds_the_line_full(producer: Producer) -> None:
    accepted = fill(producer)
    other = Producer(producer.settings, producer.store)
    refused(other)
    assert fill(other)[0].id == accepted[0].id
    other.close()


def test_room_is_seen_when_jobs_have_left(producer: Producer) -> None:
    accepted = fill(producer)
    bound = producer._gate._bound
    assert bound is not None
    ahead = 0.0
    clock = bound._clock
    bound._clock = lambda: clock() + ahead
    refused(producer)
    producer.cancel(accepted[0].id)
    assert len(producer.store.claims.claim("w1", [accepted[1].id])) == 1
    ahead = 3_600.0
    submitted = [producer.submit("moderation", "again") for _ in range(2)]
    assert {one.state for one in submitted} == {JobState.QUEUED}
    refused(producer)


def test_zero_is_no_bound(producer: Producer) -> None:
    free = Producer(producer.settings.model_copy(update={"tenant_backlog": 0}), producer.store)
    assert len([free.submit("moderation", f"{n}") for n in range(3 * MOST)]) == 3 * MOST
    assert asyncio.run(free.put_async([])) == []
    free.close()


def test_an_event_loop_is_refused_and_answered_alike(producer: Producer) -> None:
    def job(text: str, key: str | None = None) -> NewJob:
        return producer.admission.admit(
            "default", JobRequest("moderation", text, idempotency_key=key)
        )

    async def put() -> tuple[list[Submitted], list[Submitted]]:
        first = await producer.put_async([job("一", "k")])
        for n in range(MOST - 1):
            await producer.put_async([job(f"{n}")])
        with pytest.raises(Overloaded):
            await producer.put_async([job("one more")])
        with pytest.raises(IdempotencyConflict):
            await producer.put_async([job("other", "k")])
        return first, await producer.put_async([job("一", "k")])

    first, again = asyncio.run(put())
    assert (again[0].id, again[0].replayed) == (first[0].id, True)


def test_a_wrong_request_is_told_so_at_the_bound_too(producer: Producer) -> None:
    fill(producer)
    with pytest.raises(InvalidInput):
        producer.submit("moderation", "")


class Broken:
    """A store that counts, or does not, and never stores."""

    def __init__(self) -> None:
        self.away = True

    def count_queued(self, *line: Any) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return 0

    def earlier(self, again: Sequence[NewJob]) -> None:
        return None


def test_what_was_not_stored_takes_no_room() -> None:
    shelf = Broken()
    gate = Gate(shelf, MOST)
    job = NewJob("acme", "moderation", Payload(("好",), single=True), 1, Priority.BULK)

    def fail(jobs: Sequence[NewJob]) -> Stored:
        raise StoreUnavailable("disk")

    with pytest.raises(StoreUnavailable, match="away"):
        gate.call([job], fail)
    shelf.away = False
    for _ in range(2 * MOST):
        with pytest.raises(StoreUnavailable, match="disk"):
            gate.call([job], fail)
