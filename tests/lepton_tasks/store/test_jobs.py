"""Jobs as producers see them: idempotency, pages, tenants."""

from __future__ import annotations

import threading

import pytest

from lepton_tasks.errors import IdempotencyConflict, NotFound
from lepton_tasks.jobs import NewJob, Payload, Submitted
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store


def a_job(tenant: str = "acme", **changes: object) -> NewJob:
    payload = Payload(("你好",), single=True)
    return NewJob(tenant, "moderation", payload, 1, **changes)  # type: ignore[arg-type]


def test_a_key_gives_one_job(store: Store) -> None:
    [first] = store.jobs.insert([a_job(idempotency_key="k", body_hash="h")])
    [again] = store.jobs.insert([a_job(idempotency_key="k", body_hash="h")])
    assert (again.id, again.replayed) == (first.id, True)
    [other] = store.jobs.insert([a_job("umbrella", idempotency_key="k", body_hash="h")])
    assert other.id != first.id


def test_a_key_with_another_body_is_a_conflict_and_stores_nothing(store: Store) -> None:
    store.jobs.insert([a_job(idempotency_key="k", body_hash="h")])
    with pytest.raises(IdempotencyConflict):
        store.jobs.insert([a_job(), a_job(idempotency_key="k", body_hash="other")])
    assert len(store.jobs.page("acme")) == 1


def test_many_callers_with_one_key_get_one_job(store: Store) -> None:
    answers: list[Submitted] = []

    def submit() -> None:
        answers.extend(store.jobs.insert([a_job(idempotency_key="k", body_hash="h")]))

    threads = [threading.Thread(target=submit) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 16
    assert len({answer.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


def test_pages_cover_everything_once_newest_first(store: Store) -> None:
    for _ in range(7):
        store.jobs.insert([a_job()])
    seen: list[str] = []
    after = None
    while page := store.jobs.page("acme", after=after, limit=3):
        seen += [job.id for job in page]
        after = seen[-1]
    assert len(seen) == len(set(seen)) == 7
    created = [store.jobs.get("acme", job_id).created_at for job_id in seen]
    assert created == sorted(created, reverse=True)


def test_filters(store: Store) -> None:
    [queued] = store.jobs.insert([a_job()])
    [cancelled] = store.jobs.insert([a_job()])
    store.jobs.cancel("acme", cancelled.id)
    assert [job.id for job in store.jobs.page("acme", state=JobState.QUEUED)] == [queued.id]
    assert store.jobs.page("acme", task="translation") == []
    assert store.jobs.backlog() == {("moderation", "normal"): 1}


def test_another_tenant_sees_nothing(store: Store) -> None:
    [mine] = store.jobs.insert([a_job()])
    for read in (store.jobs.get, store.jobs.cancel):
        with pytest.raises(NotFound):
            read("umbrella", mine.id)
    assert store.jobs.find("umbrella", [mine.id]) == []
    assert store.jobs.page("umbrella") == []
    with pytest.raises(NotFound):
        store.jobs.page("umbrella", after=mine.id)
    assert store.jobs.get("acme", mine.id).state is JobState.QUEUED


def test_cancel_is_final_and_repeatable(store: Store) -> None:
    [mine] = store.jobs.insert([a_job()])
    first = store.jobs.cancel("acme", mine.id)
    assert store.jobs.cancel("acme", mine.id) == first
    assert first.state is JobState.CANCELLED
