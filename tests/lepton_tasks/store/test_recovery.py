"""Jobs of workers that fell silent: queued again, suspected, crashed alone, dead."""

from __future__ import annotations

from sqlalchemy import select, update

from lepton_tasks.crashes import Crashes
from lepton_tasks.in_work import InWork
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.recovery import ATTEMPTS_TO_SUSPECT, Recovered
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow, WorkerRow
from tests.support.lives import (
    TASKS,
    a_job,
    claim_alone,
    crash_alone,
    lose,
    lose_unseen,
    queued,
    state,
    suspect,
    worker,
)

jobs = JobRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]

RESULT = '{"outputs":[{"flagged":false}]}'


def test_what_was_in_work_is_suspect_and_the_rest_is_queued(quick_store: Store) -> None:
    store = quick_store
    ids = queued(store, *(a_job() for _ in range(5)))
    store.claims.claim(worker(store), ids)
    found = lose(store, "gpu-0@here", (ids[1], 0), (ids[3], 0))
    assert found == Recovered(queued=3, suspects=2)
    assert [str(state(store, one)) for one in ids] == [
        *("queued", "suspect", "queued", "suspect", "queued")
    ]
    assert store.outbox.unpublished_queues() == [("moderation", Priority.NORMAL)]
    assert len(store.outbox.mark_published(ids)) == 3
    assert store.claims.claim("another", [ids[1], ids[3]]) == []  # their messages are duplicates


def test_too_much_to_tell_makes_all_of_it_suspect(quick_store: Store) -> None:
    store = quick_store
    ids = queued(store, a_job(), a_job())
    store.claims.claim(worker(store), ids)
    store.leases.end("gpu-0@here", InWork.all_of_it())
    assert store.recovery.recover() == Recovered(suspects=2)


def test_a_worker_that_renews_keeps_its_jobs(quick_store: Store) -> None:
    store = quick_store
    ids = queued(store, a_job())
    store.claims.claim(worker(store), ids)
    store.leases.end("gpu-0@here", InWork.of([(ids[0], 0)]))
    assert not store.leases.renew("gpu-0@here", 600)
    worker(store)  # it was not dead after all, and takes its lease again
    assert store.leases.renew("gpu-0@here", 600)
    assert store.recovery.recover() == Recovered()
    lose_unseen(store, "gpu-0@here")
    assert state(store, ids[0]) is JobState.QUEUED  # what was said of it then is forgotten


def test_a_claim_that_came_late_is_found_too(quick_store: Store) -> None:
    store = quick_store
    ids = queued(store, a_job(), a_job())
    store.claims.claim(worker(store), ids[:1])
    lose_unseen(store, "gpu-0@here")
    store.claims.claim("gpu-0@here", ids[1:])  # was on its way when the lease ended
    assert store.recovery.recover() == Recovered(queued=1)


def test_unseen_losses_make_a_job_suspect_in_the_end(quick_store: Store) -> None:
    store = quick_store
    old, fresh = queued(store, a_job(), a_job())
    for attempt in range(1, ATTEMPTS_TO_SUSPECT + 1):
        ids = [old, fresh] if attempt == ATTEMPTS_TO_SUSPECT else [old]
        store.claims.claim(worker(store), ids)
        assert store.jobs.get("acme", old).attempts == attempt
        lose_unseen(store, "gpu-0@here")
    assert (state(store, old), state(store, fresh)) == (JobState.SUSPECT, JobState.QUEUED)


def test_a_suspect_is_claimed_alone_and_may_succeed(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store)
    assert store.suspects.claim(worker(store), ["translation"]) == []
    claim = claim_alone(store)
    assert (claim.id, claim.fence, claim.payload.inputs) == (job_id, 2, ("你好",))
    assert claim.crashes is not None
    assert claim.crashes.total == 0
    assert store.suspects.claim("another", TASKS) == []
    assert store.claims.finish([FinishedJob(claim, RESULT, None)]) == {job_id}
    assert state(store, job_id) is JobState.SUCCEEDED


def test_a_released_suspect_waits_alone_again(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store)
    attempts = store.jobs.get("acme", job_id).attempts
    assert store.claims.release([claim_alone(store)]) == [job_id]
    assert state(store, job_id) is JobState.SUSPECT
    assert store.jobs.get("acme", job_id).attempts == attempts
    assert store.outbox.unpublished_queues() == []


def test_three_crashes_alone_are_its_death(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store, webhook="https://hooks.test/h")
    stale = []
    for crash, node in enumerate(["gpu-0@a", "gpu-1@b", "gpu-0@a"], 1):
        stale.append(claim_alone(store, node))
        found = lose(store, node, (job_id, 0))
        assert found == (Recovered(dead=(job_id,)) if crash == 3 else Recovered(suspects=1))
    job = store.jobs.get("acme", job_id)
    assert (job.state, job.result) == (JobState.DEAD, None)
    assert job.finished_at is not None
    assert job.error == {
        "code": "dead",
        "message": "its worker died 3 times while it ran alone: gpu-1@b, gpu-0@a",
    }
    assert store.claims.finish([FinishedJob(one, RESULT, None) for one in stale]) == set()
    [delivery] = store.deliveries.claim_due(10, 30)
    assert delivery.event_type == "job.dead"
    assert store.suspects.claim(worker(store), TASKS) == []


def test_a_suspect_beside_the_culprit_is_not_blamed(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store)
    [culprit] = queued(store, a_job())
    for _ in range(4):
        claim_alone(store)
        store.claims.claim("gpu-0@here", [culprit])
        lose(store, "gpu-0@here", (culprit, 0))
        assert state(store, job_id) is JobState.SUSPECT
    assert claim_alone(store).crashes == Crashes()


def test_unseen_crashes_of_a_suspect_count_too(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store, "a", "b")
    for _ in range(3):
        claim_alone(store)
        found = lose_unseen(store, "gpu-0@here")
    assert found.dead == (job_id,)


def test_only_the_crashing_input_of_a_job_is_given_up(quick_store: Store) -> None:
    store = quick_store
    job_id = suspect(store, "a", "b", "c")
    crash_alone(store, place=1, times=3)
    claim = claim_alone(store)
    assert claim.crashes is not None
    assert claim.crashes.order(3) == [0, 2]
    result = '{"outputs":[{},{"error":{"code":"crashed","message":"no"}},{}]}'
    store.claims.finish([FinishedJob(claim, result, None, failed_items=1)])
    assert state(store, job_id) is JobState.SUCCEEDED


def test_a_job_all_of_whose_inputs_crashed_is_dead(quick_store: Store) -> None:
    store = quick_store
    store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    job_id = suspect(store, "a", "b", batch_id="batch_1", ordinal=0)
    store.batches.seal("acme", "batch_1", 2)
    for place in (0, 1):
        assert state(store, job_id) is JobState.SUSPECT
        crash_alone(store, place, times=3)
    assert state(store, job_id) is JobState.DEAD
    batch = store.batches.get("acme", "batch_1")
    assert (batch.state, batch.done_items, batch.failed_items) == (BatchState.COMPLETED, 2, 2)


def test_suspects_can_be_cancelled_and_expire(quick_store: Store) -> None:
    store = quick_store
    cancelled, late, running = suspect(store), suspect(store, ttl_seconds=600.0), suspect(store)
    assert store.jobs.cancel("acme", cancelled).state is JobState.CANCELLED
    assert claim_alone(store).id == late
    store.leases.end("gpu-0@here")
    store.recovery.recover()
    with store.database.write() as connection:
        connection.execute(jobs.update().where(jobs.c.id == late).values(deadline=1.0))
    assert claim_alone(store).id == running
    assert store.jobs.cancel("acme", running).cancel_requested
    assert lose(store, "gpu-0@here", (running, 0)) == Recovered(cancelled=(running,))
    assert store.suspects.expire_deadlines() == 1
    assert store.suspects.expire_deadlines() == 0
    assert state(store, late) is JobState.EXPIRED


def test_a_cancelled_batch_takes_its_suspects_along(quick_store: Store) -> None:
    store = quick_store
    store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    job_id = suspect(store, "a", "b", batch_id="batch_1", ordinal=0)
    store.batches.cancel("acme", "batch_1")
    assert state(store, job_id) is JobState.CANCELLED


def test_the_innocent_come_first(quick_store: Store) -> None:
    store = quick_store
    crashed = suspect(store, priority=Priority.HIGH)
    crash_alone(store)
    bulk, high = suspect(store, priority=Priority.BULK), suspect(store, priority=Priority.HIGH)
    assert store.suspects.counts() == {"moderation": 3}
    assert [claim_alone(store).id for _ in range(3)] == [high, bulk, crashed]


def test_rows_of_workers_go_a_day_after_them(quick_store: Store) -> None:
    store = quick_store
    for name in ("gone", "busy", "alive"):
        worker(store, name)
    ids = queued(store, a_job())
    store.claims.claim("busy", ids)
    store.leases.end_host("gone")
    store.recovery.recover()
    with store.database.write() as connection:
        connection.execute(update(workers).where(workers.c.id == "gone").values(lease_until=1.0))
    store.recovery.recover()
    with store.database.read() as connection:
        assert set(connection.execute(select(workers.c.id)).scalars()) == {"busy", "alive"}
