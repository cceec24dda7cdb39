"""Events and their deliveries are there with what they tell of, once, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, text

from lepton_tasks.jobs import FinishedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.deliveries import Delivery
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.events import EVENT_TYPES
from tests.support.endpoints import HOOK, subscribe
from tests.support.sending import eventually

RESULT = '{"model":{"name":"m","revision":"1"},"outputs":["好"]}'


def a_job(tenant: str = "acme", **more: Any) -> NewJob:
    return NewJob(tenant, "moderation", Payload(("你好",), True), 1, **more)


def run(store: Store, jobs: Sequence[NewJob], error: str | None = None) -> None:
    """Submit jobs and end them in one transaction."""
    store.jobs.insert(jobs)
    claimed = store.claims.claim("w1", [job.id for job in jobs])
    result = RESULT if error is None else None
    store.claims.finish([FinishedJob(claim, result, error) for claim in claimed])


def claim(store: Store) -> list[Delivery]:
    return sorted(store.deliveries.claim_due(500, 60.0), key=lambda one: one.sequence)


def types(store: Store) -> list[str]:
    return [one.event_type for one in claim(store)]


def count(store: Store, table: str) -> int:
    with store.database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608


def test_each_endpoint_that_wants_it_gets_the_event_and_so_does_the_jobs_url(
    quick_store: Store,
) -> None:
    every = subscribe(quick_store)
    some = subscribe(quick_store, HOOK + "/some", events=["job.succeeded", "job.dead"])
    subscribe(quick_store, events=["job.failed"])
    subscribe(quick_store, tenant="other")
    job = a_job(webhook=HOOK + "/own")
    run(quick_store, [job])
    found = claim(quick_store)
    assert {(one.endpoint_id, one.url) for one in found} == {
        (None, HOOK + "/own"),
        (every.id, HOOK),
        (some.id, HOOK + "/some"),
    }
    assert len({one.id for one in found}) == 3
    [body] = {one.body for one in found}
    [event_id] = {one.event_id for one in found}
    event = orjson.loads(body)
    assert (event["id"], event["type"], event["sequence"]) == (event_id, "job.succeeded", 1)
    assert event["data"]["id"] == job.id
    assert event["data"]["result"]["outputs"] == ["好"]
    assert quick_store.deliveries.body("acme", found[0].id) == body


def test_an_event_that_nobody_wants_leaves_nothing(quick_store: Store) -> None:
    subscribe(quick_store, tenant="other")
    subscribe(quick_store, events=["job.dead"])
    run(quick_store, [a_job(), a_job()])
    assert [count(quick_store, one) for one in ("deliveries", "event_sequences")] == [0, 0]


def test_numbers_are_a_tenants_own_and_have_no_gap(quick_store: Store) -> None:
    for tenant in ("acme", "other"):
        subscribe(quick_store, tenant=tenant)
    jobs = [a_job(tenant) for tenant in ("acme", "other", "acme") for _ in range(20)]
    quick_store.jobs.insert(jobs)
    claimed = quick_store.claims.claim("w1", [job.id for job in jobs])
    done = [FinishedJob(one, RESULT, None) for one in claimed]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(quick_store.claims.finish, [done[n::4] for n in range(4)]))
    found = claim(quick_store)
    numbers = {
        tenant: [one.sequence for one in found if one.tenant == tenant]
        for tenant in ("acme", "other")
    }
    assert numbers == {"acme": list(range(1, 41)), "other": list(range(1, 21))}


def test_a_stale_worker_makes_no_event(quick_store: Store) -> None:
    subscribe(quick_store)
    job = a_job()
    quick_store.jobs.insert([job])
    [claimed] = quick_store.claims.claim("w1", [job.id])
    done = FinishedJob(claimed, RESULT, None)
    assert quick_store.claims.finish([done]) == {job.id}
    assert quick_store.claims.finish([done]) == set()
    assert types(quick_store) == ["job.succeeded"]


def test_jobs_end_in_other_ways_too(quick_store: Store) -> None:
    subscribe(quick_store)
    run(quick_store, [a_job()], error='{"code":"c","message":"m"}')
    cancelled, expired = a_job(), a_job(ttl_seconds=0.001)
    quick_store.jobs.insert([cancelled, expired])
    quick_store.jobs.cancel("acme", cancelled.id)
    eventually(lambda: quick_store.outbox.expire_deadlines() == 1)
    refused = Adoption(a_job(), '{"code":"invalid_input","message":"m"}')
    for _ in range(2):  # the message came twice
        quick_store.claims.claim("w1", [], [refused])
    assert types(quick_store) == ["job.failed", "job.cancelled", "job.expired", "job.failed"]


def test_an_endpoint_hears_of_a_batch_and_not_of_its_shards(quick_store: Store) -> None:
    subscribe(quick_store, events=EVENT_TYPES)
    quick_store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    shards = [a_job(batch_id="batch_1", ordinal=n) for n in range(4)]
    run(quick_store, shards[:1])
    quick_store.batches.seal("acme", "batch_1", 4)
    for shard in shards[1:]:
        run(quick_store, [shard])
    found = claim(quick_store)
    expected = ["batch.progress", "batch.progress", "batch.completed"]
    assert [one.event_type for one in found] == expected
    counts = [orjson.loads(one.body)["data"]["request_counts"]["completed"] for one in found]
    assert counts == [2, 3, 4]


def test_progress_is_for_those_who_ask(quick_store: Store) -> None:
    subscribe(quick_store)
    quick_store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    quick_store.batches.seal("acme", "batch_1", 2)
    for n in range(2):
        run(quick_store, [a_job(batch_id="batch_1", ordinal=n)])
    assert types(quick_store) == ["batch.completed"]


def test_a_cancelled_batch_tells_its_url_and_its_endpoints(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    quick_store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f", webhook=HOOK)
    waiting, done = (a_job(batch_id="batch_1", ordinal=n) for n in range(2))
    run(quick_store, [done])
    quick_store.jobs.insert([waiting])
    for _ in range(2):
        quick_store.batches.cancel("acme", "batch_1")
    found = claim(quick_store)
    assert {(one.event_type, one.endpoint_id) for one in found} == {
        ("batch.cancelled", None),
        ("batch.cancelled", endpoint.id),
    }
    [body] = {one.body for one in found}
    counts = orjson.loads(body)["data"]["request_counts"]
    assert (counts["completed"], counts["failed"]) == (1, 1)


def test_what_ends_while_an_endpoint_is_disabled_is_held(quick_store: Store) -> None:
    endpoint = subscribe(quick_store)
    quick_store.endpoints.disable("acme", endpoint.id)
    run(quick_store, [a_job()])
    assert claim(quick_store) == []
    [held] = quick_store.deliveries.page("acme", endpoint.id)
    assert held.state == "held"
    quick_store.endpoints.enable("acme", endpoint.id)
    assert quick_store.deliveries.replay_range("acme", endpoint.id, 0, 9e9).count == 1
    assert types(quick_store) == ["job.succeeded"]


def test_a_result_and_its_event_are_written_together_or_not_at_all(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(quick_store)
    job = a_job()
    quick_store.jobs.insert([job])
    [claimed] = quick_store.claims.claim("w1", [job.id])

    def fails(*_: object) -> bytes:
        raise RuntimeError("no body")

    with monkeypatch.context() as patch:
        patch.setattr("lepton_tasks.store.events.event_body", fails)
        with pytest.raises(RuntimeError):
            quick_store.claims.finish([FinishedJob(claimed, RESULT, None)])
    assert quick_store.jobs.get("acme", job.id).state == "running"
    assert count(quick_store, "deliveries") == 0
    assert quick_store.claims.finish([FinishedJob(claimed, RESULT, None)]) == {job.id}
    [delivery] = claim(quick_store)
    assert delivery.sequence == 1


def test_only_tenants_with_endpoints_are_asked_for_them(
    quick_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(quick_store, tenant="other")
    asked: list[set[str]] = []

    def look(connection: Connection, tenants: set[str]) -> dict[str, list[Any]]:
        asked.append(tenants)
        return {}

    monkeypatch.setattr("lepton_tasks.store.events._endpoints", look)
    run(quick_store, [a_job(), a_job()])
    assert asked == []
    run(quick_store, [a_job(), a_job("other")])
    assert asked == [{"other"}]
