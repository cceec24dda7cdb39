"""Batches: sealing counts what never became a job, once."""

from __future__ import annotations

import pytest

from lepton_tasks.errors import NotFound
from lepton_tasks.jobs import FinishedJob, NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState
from lepton_tasks.store.store import Store


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


def test_ordinals_go_on_behind_the_last_shard(store: Store, shard: NewJob) -> None:
    assert store.batches.next_ordinal("acme", "batch_1") == 1
    assert store.batches.next_ordinal("other", "batch_1") == 0
