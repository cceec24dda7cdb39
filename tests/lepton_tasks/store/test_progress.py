"""How far a long job has come: said by its owner alone, read with the job, gone with it."""

from __future__ import annotations

from lepton_tasks.jobs import FinishedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store
from tests.lepton_tasks.store.test_claims import a_job, claim_one


def test_what_is_said_is_read_with_the_job(quick_store: Store) -> None:
    store, job = quick_store, a_job()
    store.jobs.insert([job])
    claim = claim_one(store, job)
    assert store.jobs.get("acme", job.id).progress is None
    assert store.progress.say(claim, {"stage": "training", "fraction": 0.25})
    assert store.progress.say(claim, {"stage": "training", "fraction": 0.5, "loss": 1.5})
    seen = store.jobs.get("acme", job.id).progress
    assert seen is not None and seen["updated_at"] > 0
    assert (seen["fraction"], seen["loss"]) == (0.5, 1.5)
    assert store.jobs.page("acme")[0].progress is None


def test_a_stale_worker_says_nothing(quick_store: Store) -> None:
    store, job = quick_store, a_job()
    store.jobs.insert([job])
    stale = claim_one(store, job)
    store.claims.release([stale])
    fresh = claim_one(store, job, "w2")
    assert store.progress.say(fresh, {"fraction": 0.1})
    assert not store.progress.say(stale, {"fraction": 0.9})
    seen = store.jobs.get("acme", job.id).progress
    assert seen is not None and seen["fraction"] == 0.1
    store.claims.finish([FinishedJob(fresh, "{}", None)])
    assert not store.progress.say(fresh, {"fraction": 0.2})


def test_progress_goes_with_its_job(quick_store: Store) -> None:
    store, job, other = quick_store, a_job(), a_job()
    store.jobs.insert([job, other])
    claim = claim_one(store, job)
    store.progress.say(claim, {"fraction": 0.1})
    assert store.progress.open([job.id, other.id, "job_no"]) == {job.id, other.id}
    store.claims.finish([FinishedJob(claim, None, '{"code":"x","message":"x"}')])
    assert store.jobs.get("acme", job.id).state is JobState.FAILED
    assert store.progress.open([job.id, other.id]) == {other.id}
    store.retention.erase("acme", job.id)
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM job_progress").scalar() == 0
