"""The lease is kept, and no error ends the periodic work."""

from __future__ import annotations

import threading
import time

import pytest

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.store import Store
from workers.heartbeat import Every, Heartbeat


@pytest.mark.parametrize("error", [StoreUnavailable("away"), ValueError("a secret")])
def test_an_error_does_not_end_the_rounds(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = threading.Semaphore(0)

    def work() -> None:
        rounds.release()
        raise error

    every = Every(0.01, work, "reconciler")
    every.start()
    for _ in range(3):
        assert rounds.acquire(timeout=10)
    every.stop()
    assert "reconciler" in caplog.text
    assert "a secret" not in caplog.text


def test_a_lease_is_renewed_until_it_is_stopped(store: Store) -> None:
    heartbeat = Heartbeat(store, "w1", "node", ["moderation"], 1.5)
    heartbeat.start()
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        assert [worker.id for worker in store.leases.alive()] == ["w1"]
        time.sleep(0.2)
    assert heartbeat.is_fresh()
    heartbeat.stop()
    assert store.leases.alive() == []


def test_a_new_process_of_a_node_ends_the_old_lease(store: Store) -> None:
    store.leases.register("old", "node", ["moderation"], 600)
    store.leases.register("other", "another", ["moderation"], 600)
    heartbeat = Heartbeat(store, "new", "node", ["moderation"], 600, supersedes=True)
    heartbeat.start()
    assert {worker.id for worker in store.leases.alive()} == {"new", "other"}
    heartbeat.stop()
