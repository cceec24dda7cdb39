"""Giving back, also to a store that is not there."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from workers.giving_back import give_back


def test_jobs_wait_again_and_a_store_that_is_away_is_no_error(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [NewJob("default", "moderation", Payload((text_,), True), 1) for text_ in ("a", "你好")]
    store.jobs.insert(jobs)
    claims = store.claims.claim("w1", [job.id for job in jobs], [])
    assert give_back(store, claims) == 2
    assert {store.jobs.get("default", job.id).state for job in jobs} == {JobState.QUEUED}
    assert give_back(store, claims) == 0, "they are not this worker's any more"
    with store.database.write() as connection:
        connection.execute(text("ALTER TABLE jobs RENAME TO away"))
    assert give_back(store, claims) == 0
    assert "2 jobs come back when the lease ends" in caplog.text
