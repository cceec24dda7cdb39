"""Batches: sealing counts what never became a job, once; cancelling, pages, counts of lines."""

from __future__ import annotations

import orjson
import pytest

from lepton_tasks.errors import NotFound
from lepton_tasks.jobs import FinishedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import BATCH_TERMINAL, BatchState, JobState
from lepton_tasks.store.store import Store
from tests.support.orders import ordered, put


@pytest.fixture
def shard(store: Store) -> NewJob:
    store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f", "https://x.test/h")
    shard = NewJob(
        "acme", "moderation", Payload(("a", "b"), False), cost=2, batch_id="batch_1", ordinal=0
    )
    store.jobs.insert([shard])
    return shard


def counts(store: Store) -> tuple[BatchState, int, int, int]:
    batch = store.batches.get("acme", "batch_1")
    return batch.state, batch.total_items, batch.done_items, batch.failed_items


def test_refused_lines_count_as_done_and_failed(store: Store, shard: NewJob) -> None:
    store.batches.seal("acme", "batch_1", total_items=5, refused_items=3)
    assert counts(store) == (BatchState.IN_PROGRESS, 5, 3, 3)
    [claim] = store.claims.claim("w1", [shard.id])
    store.claims.finish([FinishedJob(claim, '{"outputs":[1,2]}', None)])
    assert counts(store) == (BatchState.COMPLETED, 5, 5, 3)
    assert len(store.deliveries.claim_due(10, 30)) == 1


def test_sealing_again_changes_nothing(store: Store, shard: NewJob) -> None:
    [claim] = store.claims.claim("w1", [shard.id])
    store.claims.finish([FinishedJob(claim, '{"outputs":[1,2]}', None)])
    for _ in range(2):
        store.batches.seal("acme", "batch_1", total_items=3, refused_items=1)
        assert counts(store) == (BatchState.COMPLETED, 3, 3, 1)
    assert len(store.deliveries.claim_due(10, 30)) == 1


def test_another_tenant_cannot_seal(store: Store, shard: NewJob) -> None:
    store.batches.seal("other", "batch_1", total_items=0)
    assert counts(store) == (BatchState.IN_PROGRESS, 0, 0, 0)
    with pytest.raises(NotFound):
        store.batches.get("other", "batch_1")


def test_how_far_batches_have_come_is_told_of_many_at_once(store: Store, shard: NewJob) -> None:
    store.batches.create("other", "batch_2", "moderation", Priority.BULK, "f")
    store.batches.cancel("other", "batch_2")
    assert store.batches.written(["batch_1", "batch_2", "batch_3"]) == {
        "batch_1": ("in_progress", 0, 0),
        "batch_2": ("cancelled", 0, 0),
    }


def test_ordinals_go_on_behind_the_last_shard(store: Store, shard: NewJob) -> None:
    assert store.batches.next_ordinal("acme", "batch_1") == 1
    assert store.batches.next_ordinal("other", "batch_1") == 0


def test_cancelling_a_batch_that_a_runner_runs(quick_store: Store) -> None:
    store = quick_store
    batch = ordered(store, webhook="https://example.test/hook")
    put(store, batch.id, state=BatchState.IN_PROGRESS)
    waiting, running = (
        NewJob(
            "acme", "moderation", Payload(("a",), False), cost=1, batch_id=batch.id, ordinal=place
        )
        for place in range(2)
    )
    store.jobs.insert([waiting, running])
    store.claims.claim("w1", [running.id])
    store.batches.cancel("other", batch.id)
    assert store.batches.get("acme", batch.id).state is BatchState.IN_PROGRESS

    store.batches.cancel("acme", batch.id)
    cancelling = store.batches.get("acme", batch.id)
    assert (cancelling.state, cancelling.finished_at) == (BatchState.CANCELLING, None)
    assert cancelling.cancelling_at is not None
    assert store.jobs.get("acme", waiting.id).state is JobState.CANCELLED
    assert store.jobs.get("acme", running.id).cancel_requested
    assert store.deliveries.claim_due(10, 30) == []  # its runner tells when it has ended

    store.batches.cancel("acme", batch.id)
    assert store.batches.get("acme", batch.id) == cancelling


@pytest.mark.parametrize("state", [BatchState.FINALIZING, *sorted(BATCH_TERMINAL)])
def test_what_has_ended_or_is_about_to_is_not_cancelled(
    quick_store: Store, state: BatchState
) -> None:
    batch = ordered(quick_store)
    put(quick_store, batch.id, state=state)
    quick_store.batches.cancel("acme", batch.id)
    assert quick_store.batches.get("acme", batch.id).state is state


def test_a_page_is_a_tenants_own_and_newest_first(quick_store: Store) -> None:
    made = [ordered(quick_store).id for _ in range(3)]
    quick_store.batches.create("acme", "batch_cli", "moderation", Priority.BULK, "f")
    ordered(quick_store, "other")
    seen = [batch.id for batch in quick_store.batches.page("acme", limit=3)]
    assert seen == ["batch_cli", made[2], made[1]]
    assert [one.id for one in quick_store.batches.page("acme", after=seen[-1])] == [made[0]]
    with pytest.raises(NotFound):
        quick_store.batches.page("other", after=made[0])


def test_counts_are_lines_for_either_kind(quick_store: Store) -> None:
    batch = ordered(quick_store)
    put(quick_store, batch.id, total_lines=9, completed_lines=5, failed_lines=1, done_items=70)
    assert quick_store.batches.get("acme", batch.id).lines == (9, 5, 1)
    quick_store.batches.create("acme", "batch_cli", "moderation", Priority.BULK, "f")
    put(quick_store, "batch_cli", total_items=9, done_items=6, failed_items=1)
    assert quick_store.batches.get("acme", "batch_cli").lines == (9, 5, 1)


def test_what_a_runner_found_is_read(quick_store: Store) -> None:
    batch = ordered(quick_store)
    fault = {"code": "invalid_url", "line": 3, "message": "no", "param": "url"}
    put(
        quick_store,
        batch.id,
        errors=orjson.dumps([fault]).decode(),
        usage='{"input_tokens":3,"output_tokens":0,"total_tokens":3}',
    )
    found = quick_store.batches.get("acme", batch.id)
    assert found.errors == [fault]
    assert found.usage == {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}
