"""Whoever looks for suspects and for silent workers does not read the whole table of jobs."""

from __future__ import annotations

from sqlalchemy import text

from lepton_tasks.store.store import Store
from tests.support.lives import TASKS, claim_alone, lose, suspect, worker
from tests.support.plans import scans


def test_suspects_are_found_by_their_index(quick_store: Store) -> None:
    suspect(quick_store)
    worker(quick_store)
    with scans(quick_store, "jobs") as found:
        assert len(quick_store.suspects.claim("w1", [*TASKS, "sentiment"])) == 1
        assert quick_store.suspects.expire_deadlines() == 0
        assert quick_store.suspects.counts() == {}
    assert found == []


def test_the_jobs_of_silent_workers_are_found_by_their_index(quick_store: Store) -> None:
    job_id = suspect(quick_store)
    claim_alone(quick_store)
    with scans(quick_store, "jobs") as found:
        assert lose(quick_store, "gpu-0@here", (job_id, 0)).suspects == 1
    assert found == []


def test_a_scan_would_be_seen(quick_store: Store) -> None:
    with scans(quick_store, "jobs") as found, quick_store.database.read() as connection:
        connection.execute(text("SELECT id FROM jobs WHERE cost = 7"))
    assert len(found) == 1
