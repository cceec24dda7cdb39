"""How long the jobs before a new one have waited, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from lepton_tasks.store.database import now
from lepton_tasks.store.store import Store
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]


def insert(store: Store, tenant: str, age: float, published: bool) -> None:
    [job] = store.jobs.insert(
        [NewJob(tenant, "moderation", Payload(("a",), True), 1, Priority.HIGH)]
    )
    with store.database.write() as connection:
        connection.execute(
            update(jobs)
            .where(jobs.c.id == job.id)
            .values(run_after=now() - age, published_at=now() - age + 5.0 if published else None)
        )


def test_published_jobs_of_anybody_are_ahead_and_ones_own_backlog(store: Store) -> None:
    def ahead(tenant: str) -> float:
        return store.waits.ahead(tenant, "moderation", Priority.HIGH)

    assert ahead("acme") == 0.0
    insert(store, "other", 500.0, published=False)
    assert ahead("acme") == 0.0
    assert ahead("other") == pytest.approx(500.0, abs=60)
    insert(store, "other", 105.0, published=True)
    assert ahead("acme") == pytest.approx(100.0, abs=60)
    insert(store, "acme", -50.0, published=False)
    assert ahead("acme") == pytest.approx(100.0, abs=60)
    assert store.waits.ahead("acme", "moderation", Priority.BULK) == 0.0
