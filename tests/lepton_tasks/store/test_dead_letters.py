"""Dead letters: seen by the operator, put back, kept where their batch has counted them."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.store import Store
from tests.support.lives import NODE, TENANT, a_job, dead, queued, state, suspect
from tests.support.plans import scans


def test_a_letter_says_how_and_where_and_holds_no_text(quick_store: Store) -> None:
    job_id = dead(quick_store, priority=Priority.HIGH)
    letter = quick_store.dead_letters.get(job_id)
    assert (letter.id, letter.tenant, letter.task) == (job_id, TENANT, "moderation")
    assert (letter.priority, letter.items, letter.batch_id) == (Priority.HIGH, 1, None)
    assert (letter.crashes.places, letter.crashes.workers) == ({0: 3}, (NODE,))
    assert letter.died_at >= letter.created_at
    assert letter.redrives == ()
    assert "你好" not in repr(letter)
    assert quick_store.dead_letters.counts() == {"moderation": 1}


def test_the_living_are_no_letters(quick_store: Store) -> None:
    for job_id in (suspect(quick_store), *queued(quick_store, a_job()), "none"):
        with pytest.raises(NotFound):
            quick_store.dead_letters.get(job_id)
    assert quick_store.dead_letters.page() == []


def test_letters_come_in_pages_the_oldest_first(quick_store: Store) -> None:
    ids = [dead(quick_store) for _ in range(5)]
    first = quick_store.dead_letters.page(limit=3)
    rest = quick_store.dead_letters.page("moderation", first[-1], limit=3)
    assert [letter.id for letter in first + rest] == ids
    assert quick_store.dead_letters.page("translation") == []


def test_a_redriven_job_begins_anew(quick_store: Store) -> None:
    store = quick_store
    job_id = dead(store)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET deadline = 1.0")
    store.dead_letters.redrive(job_id, "ops@here")
    job = store.jobs.get(TENANT, job_id)
    assert (job.state, job.attempts, job.error) == (JobState.QUEUED, 0, None)
    assert (job.finished_at, job.deadline) == (None, None)
    assert store.outbox.unpublished_queues() == [("moderation", Priority.NORMAL)]
    [claim] = store.claims.claim("w1", [job_id])
    assert claim.crashes is None
    assert claim.fence == 5  # the stale claims before stay stale
    store.claims.finish([FinishedJob(claim, '{"outputs":[{}]}', None)])
    assert state(store, job_id) is JobState.SUCCEEDED


def test_redrives_are_kept_with_the_job(quick_store: Store) -> None:
    job_id = dead(quick_store)
    for number in range(25):
        quick_store.dead_letters.redrive(job_id, f"ops {number}")
        with quick_store.database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE jobs SET state = 'dead', finished_at = created_at + 1, "
                """error = '{"message":"again"}'"""
            )
    redrives = quick_store.dead_letters.get(job_id).redrives
    assert [one.by for one in redrives] == [f"ops {number}" for number in range(5, 25)]
    assert redrives[-1].at > 0


def test_only_the_dead_are_redriven(quick_store: Store) -> None:
    job_id = suspect(quick_store)
    with pytest.raises(Conflict, match="is suspect") as caught:
        quick_store.dead_letters.redrive(job_id, "ops")
    assert caught.value.code == "not_dead"
    with pytest.raises(NotFound):
        quick_store.dead_letters.redrive("none", "ops")


def test_anothers_dead_job_does_not_exist(quick_store: Store) -> None:
    job_id = dead(quick_store)
    with pytest.raises(NotFound):
        quick_store.dead_letters.redrive(job_id, "ops", "umbrella")
    quick_store.dead_letters.redrive(job_id, "ops", TENANT)


def test_a_shard_is_counted_anew_while_its_batch_is_open(quick_store: Store) -> None:
    store = quick_store
    store.batches.create(TENANT, "batch_1", "moderation", Priority.BULK, "f")
    shard = dead(store, batch_id="batch_1", ordinal=0)
    [other] = queued(store, a_job(batch_id="batch_1", ordinal=1))
    with pytest.raises(Conflict) as caught:  # the run that feeds it has read this shard's end
        store.dead_letters.redrive(shard, "ops")
    assert caught.value.code == "batch_closed"
    store.batches.seal(TENANT, "batch_1", 2)
    store.dead_letters.redrive(shard, "ops")
    assert store.batches.get(TENANT, "batch_1").done_items == 0
    for claim in store.claims.claim("w1", [shard, other]):
        store.claims.finish([FinishedJob(claim, '{"outputs":[{}]}', None)])
    batch = store.batches.get(TENANT, "batch_1")
    assert (batch.state, batch.done_items, batch.failed_items) == (BatchState.COMPLETED, 2, 0)


def test_a_shard_of_a_complete_batch_stays_dead(quick_store: Store) -> None:
    store = quick_store
    store.batches.create(TENANT, "batch_1", "moderation", Priority.BULK, "f")
    shard, single = dead(store, batch_id="batch_1", ordinal=0), dead(store)
    store.batches.seal(TENANT, "batch_1", 1)
    assert store.dead_letters.redrive_page(store.dead_letters.page(), "ops") == [single]
    with pytest.raises(Conflict, match="batch_1"):
        store.dead_letters.redrive(shard, "ops")
    assert [letter.id for letter in store.dead_letters.page()] == [shard]
    assert store.batches.get(TENANT, "batch_1").failed_items == 1


def test_letters_are_found_by_their_index(quick_store: Store) -> None:
    dead(quick_store)
    with scans(quick_store, "jobs") as found:
        [letter] = quick_store.dead_letters.page("moderation")
        quick_store.dead_letters.page(None, letter)
        quick_store.dead_letters.counts()
    assert found == []
