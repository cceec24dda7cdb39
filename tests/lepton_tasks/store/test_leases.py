"""Leases and locks: a clock that jumps by an hour, a worker that is known to be dead."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from lepton_tasks.jobs import FinishedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow, LockRow, WorkerRow
from tests.support.lives import TASKS, TENANT, a_job, queued, state

HOUR = 3600.0

TIMES = {
    WorkerRow: ["started_at", "lease_until"],
    LockRow: ["until"],
    JobRow: ["created_at", "run_after", "started_at", "published_at"],
}


def jump(store: Store, seconds: float) -> None:
    """Put the clock on by so much: all that is stored lies as far back."""
    with store.database.write() as connection:
        for row, names in TIMES.items():
            table = row.__table__  # type: ignore[attr-defined]
            connection.execute(
                update(table).values({name: table.c[name] - seconds for name in names})
            )


def test_an_hour_forward_costs_a_run_and_no_job(quick_store: Store) -> None:
    store = quick_store
    [job_id] = queued(store, a_job())
    store.leases.register("w1", "node", TASKS, 15.0)
    [before] = store.claims.claim("w1", [job_id])
    jump(store, HOUR)
    assert store.leases.hold("reconciler", "here", 5.0)
    assert store.recovery.recover().queued == 1
    assert not store.leases.renew("w1", 15.0)  # so it drops what it held, and registers
    store.leases.register("w1", "node", TASKS, 15.0)
    assert store.claims.held_by("w1") == set()
    assert store.claims.finish([FinishedJob(before, "{}", None)]) == set()
    [after] = store.claims.claim("w1", [job_id])
    assert store.claims.finish([FinishedJob(after, "{}", None)]) == {job_id}


def test_an_hour_back_leaves_the_periodic_work_to_whoever_lives(quick_store: Store) -> None:
    store = quick_store
    assert store.leases.hold("reconciler", "dead", 5.0)
    assert not store.leases.hold("reconciler", "alive", 5.0)
    jump(store, -HOUR)
    assert store.leases.hold("reconciler", "alive", 5.0)
    assert not store.leases.hold("reconciler", "other", 5.0)


def test_an_hour_back_takes_no_job_from_a_worker_that_renews(quick_store: Store) -> None:
    store = quick_store
    [job_id] = queued(store, a_job())
    store.leases.register("w1", "node", TASKS, 15.0)
    store.claims.claim("w1", [job_id])
    jump(store, -HOUR)
    assert store.leases.renew("w1", 15.0)
    assert store.recovery.recover().queued == 0
    assert state(store, job_id) is JobState.RUNNING
    jump(store, 16.0)  # its lease is short again
    assert store.recovery.recover().queued == 1
    assert store.jobs.get(TENANT, job_id).attempts == 1


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_redrawn_clock_does_not_touch_a_finished_job(quick_store: Store, seconds: float) -> None:
    store = quick_store
    [job_id] = queued(store, a_job())
    store.leases.register("w1", "node", TASKS, 15.0)
    claims = store.claims.claim("w1", [job_id])
    store.claims.finish([FinishedJob(claims[0], "{}", None)])
    jump(store, seconds)
    store.recovery.recover()
    assert state(store, job_id) is JobState.SUCCEEDED


@pytest.mark.parametrize("known_by", ["id", "host"])
def test_a_worker_that_is_known_to_be_dead_holds_up_no_periodic_work(
    quick_store: Store, known_by: str
) -> None:
    leases = quick_store.leases
    for worker_id, host in (("w1", "node1"), ("w2", "node2")):
        leases.register(worker_id, host, TASKS, 15.0)
    assert leases.hold("reconciler", "w1", 5.0)
    assert leases.hold("other", "w2", 5.0)
    if known_by == "id":
        leases.end("w1")
    else:
        leases.end_host("node1")
    assert leases.hold("reconciler", "w2", 5.0)
    assert not leases.hold("other", "w3", 5.0)
