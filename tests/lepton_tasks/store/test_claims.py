"""Claim, finish, release, adopt: who owns a job, and that a stale worker cannot write."""

from __future__ import annotations

import pytest

from lepton_tasks.jobs import ClaimedJob, FinishedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.recovery import Recovered
from lepton_tasks.store.store import Store

RESULT = '{"outputs":[{"flagged":false}]}'


def a_job(**changes: object) -> NewJob:
    fields: dict[str, object] = {
        "tenant": "acme",
        "task": "moderation",
        "payload": Payload(("你好",), single=True),
        "cost": 1,
    }
    return NewJob(**(fields | changes))  # type: ignore[arg-type]


def claim_one(store: Store, job: NewJob, worker: str = "w1") -> ClaimedJob:
    [claimed] = store.claims.claim(worker, [job.id])
    return claimed


def test_claim_returns_the_payload_once(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    claimed = claim_one(store, job)
    assert claimed.payload.inputs == ("你好",)
    assert claimed.fence == 1
    assert store.claims.claim("w2", [job.id]) == []
    assert store.jobs.get("acme", job.id).state is JobState.RUNNING


def test_claim_keeps_the_order_of_the_fetch(store: Store) -> None:
    new = [a_job() for _ in range(5)]
    store.jobs.insert(new)
    wanted = [job.id for job in reversed(new)]
    assert [job.id for job in store.claims.claim("w1", wanted)] == wanted


def test_finish_stores_the_result(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    claimed = claim_one(store, job)
    assert store.claims.finish([FinishedJob(claimed, RESULT, None)]) == {job.id}
    seen = store.jobs.get("acme", job.id)
    assert seen.state is JobState.SUCCEEDED
    assert seen.output() == {"flagged": False}
    assert seen.finished_at is not None


def test_a_mixed_batch_finishes_in_one_go(store: Store) -> None:
    good, bad = a_job(), a_job()
    store.jobs.insert([good, bad])
    claims = store.claims.claim("w1", [good.id, bad.id])
    store.claims.finish(
        [
            FinishedJob(claims[0], RESULT, None),
            FinishedJob(claims[1], None, '{"code":"model_error","message":"no"}'),
        ]
    )
    assert store.jobs.get("acme", good.id).state is JobState.SUCCEEDED
    failed = store.jobs.get("acme", bad.id)
    assert failed.state is JobState.FAILED
    assert failed.error == {"code": "model_error", "message": "no"}


def test_a_stale_worker_cannot_write(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    store.leases.register("w1", "one", ["moderation"], 60)
    stale = claim_one(store, job)
    store.leases.end("w1")
    assert store.recovery.recover().queued == 1
    fresh = claim_one(store, job, "w2")
    assert fresh.fence == 2
    assert store.claims.finish([FinishedJob(stale, '{"outputs":["stale"]}', None)]) == set()
    assert store.claims.finish([FinishedJob(fresh, RESULT, None)]) == {job.id}
    assert store.claims.finish([FinishedJob(fresh, '{"outputs":["again"]}', None)]) == set()
    assert store.jobs.get("acme", job.id).output() == {"flagged": False}


def test_a_living_workers_jobs_are_left_alone(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    store.leases.register("w1", "one", ["moderation"], 60)
    claim_one(store, job)
    assert store.recovery.recover() == Recovered()
    assert store.leases.renew("w1", 60)
    assert [worker.id for worker in store.leases.alive()] == ["w1"]


def test_release_gives_back_without_counting_an_attempt(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    claimed = claim_one(store, job)
    assert store.claims.release([claimed]) == [job.id]
    seen = store.jobs.get("acme", job.id)
    assert (seen.state, seen.attempts) == (JobState.QUEUED, 0)
    assert store.claims.release([claimed]) == []
    assert claim_one(store, job).fence == 2


def test_cancelled_queued_and_expired_jobs_are_not_claimed(store: Store) -> None:
    cancelled, late = a_job(), a_job(ttl_seconds=-1.0)
    store.jobs.insert([cancelled, late])
    assert store.jobs.cancel("acme", cancelled.id).state is JobState.CANCELLED
    assert store.claims.claim("w1", [cancelled.id, late.id]) == []
    assert store.outbox.expire_deadlines() == 1
    assert store.jobs.get("acme", late.id).state is JobState.EXPIRED


def test_cancel_of_a_running_job_is_honoured_at_its_end(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    claimed = claim_one(store, job)
    assert store.jobs.cancel("acme", job.id).cancel_requested
    store.claims.finish([FinishedJob(claimed, RESULT, None)])
    seen = store.jobs.get("acme", job.id)
    assert seen.state is JobState.CANCELLED
    assert seen.result is None


def test_a_job_that_is_not_due_goes_back_unpublished(store: Store) -> None:
    job = a_job(run_at=4_000_000_000.0)
    store.jobs.insert([job])
    assert store.claims.claim("w1", [job.id]) == []
    assert store.outbox.unpublished_queues() == []
    assert store.jobs.get("acme", job.id).state is JobState.QUEUED


def test_adoption_makes_a_row_and_claims_it_once(store: Store) -> None:
    job = a_job(id="0b5a5c52-8a6e-4d0e-9f43-1d8e3a0f7f6b")
    [claimed] = store.claims.claim("w1", [], [Adoption(job)])
    assert claimed.id == job.id
    assert store.claims.claim("w2", [], [Adoption(job)]) == []


def test_an_unreadable_adoption_is_stored_as_failed(store: Store) -> None:
    job = a_job(id="bad", payload=Payload((), single=True))
    error = '{"code":"invalid_input","message":"text must be a string"}'
    assert store.claims.claim("w1", [], [Adoption(job, error)]) == []
    assert store.jobs.get("acme", "bad").state is JobState.FAILED


@pytest.mark.parametrize("shards", [1, 3])
def test_a_batch_completes_with_its_last_shard_and_owes_one_delivery(
    store: Store, shards: int
) -> None:
    store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f", "https://x.test/h")
    new = [
        a_job(batch_id="batch_1", ordinal=n, payload=Payload(("a", "b"), single=False))
        for n in range(shards)
    ]
    store.jobs.insert(new)
    store.batches.seal("acme", "batch_1", 2 * shards)
    for number, claimed in enumerate(store.claims.claim("w1", [job.id for job in new])):
        assert store.batches.get("acme", "batch_1").state is BatchState.IN_PROGRESS
        result = '{"outputs":[{"flagged":true},{"error":{"code":"x"}}]}'
        store.claims.finish([FinishedJob(claimed, result, None, failed_items=1)])
        assert store.batches.get("acme", "batch_1").done_items == 2 * (number + 1)
    done = store.batches.get("acme", "batch_1")
    assert (done.state, done.failed_items) == (BatchState.COMPLETED, shards)
    [delivery] = store.deliveries.claim_due(10, 30)
    assert delivery.event_type == "batch.completed"
    assert store.deliveries.claim_due(10, 30) == []


def test_retry_waits_and_counts(store: Store) -> None:
    job = a_job()
    store.jobs.insert([job])
    claim = claim_one(store, job)
    assert store.claims.retry([(claim, 600.0)]) == {job.id}
    waiting = store.jobs.get("acme", job.id)
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 1)
    assert waiting.run_at > waiting.created_at + 500
    assert store.claims.claim("w2", [job.id]) == []  # not due
    assert store.claims.retry([(claim, 0.0)]) == set()  # it is nobody's


def test_retry_is_final_where_it_cannot_be_in_time(store: Store) -> None:
    cancelled, short, stale = a_job(), a_job(ttl_seconds=60.0), a_job()
    store.jobs.insert([cancelled, short, stale])
    claims = store.claims.claim("w1", [cancelled.id, short.id, stale.id])
    store.jobs.cancel("acme", cancelled.id)
    store.claims.release(claims[2:])
    claim_one(store, stale, "w2")
    assert store.claims.retry([(claim, 100.0) for claim in claims]) == set()
    failed = [FinishedJob(claim, None, '{"code":"away","message":"no"}') for claim in claims]
    assert store.claims.finish(failed) == {cancelled.id, short.id}
    assert store.jobs.get("acme", cancelled.id).state is JobState.CANCELLED
    assert store.jobs.get("acme", short.id).state is JobState.FAILED
