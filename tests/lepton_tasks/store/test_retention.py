"""What ended long ago is deleted, what is needed stays, and nothing deleted runs again."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import select, update

from lepton_tasks.errors import Conflict, Gone, IdempotencyConflict, NotFound
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.states import BATCH_TERMINAL, BatchState, JobState
from lepton_tasks.store.adoptions import Adoption
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.retention import PAGE, Swept
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.store.tables import DeliveryRow, JobRow, TombstoneRow
from tests.support.lives import TASKS, TENANT, a_job, dead, queued, state
from tests.support.orders import ordered, put
from tests.support.plans import scans
from tests.support.sending import owe

jobs = JobRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
tombstones = TombstoneRow.__table__  # type: ignore[attr-defined]
DAY = 86_400.0
SECRET = "一段秘密的文字 canary"


def finished(store: Store, *ids: str, error: str | None = None) -> None:
    result = None if error else orjson.dumps({"outputs": [{"answer": SECRET}]}).decode()
    claims = store.claims.claim("w1", ids)
    taken = store.claims.finish([FinishedJob(claim, result, error) for claim in claims])
    assert taken == set(ids)


def age(store: Store, days: float) -> None:
    """Let days pass for all that is stored."""
    seconds = days * DAY
    with store.database.write() as connection:
        for table, names in (
            (jobs, ["created_at", "finished_at"]),
            (batches, ["created_at", "finished_at"]),
            (deliveries, ["created_at", "finished_at", "next_at"]),
            (tombstones, ["deleted_at"]),
        ):
            connection.execute(
                update(table).values({name: table.c[name] - seconds for name in names})
            )


def sweep(store: Store) -> Swept:
    return store.retention.sweep(30 * DAY, 90 * DAY)


def test_what_has_ended_goes_with_age_and_the_rest_stays(quick_store: Store) -> None:
    store = quick_store
    old = queued(store, a_job(), a_job(), a_job())
    finished(store, *old[:2])
    store.jobs.cancel(TENANT, old[2])
    lost = dead(store)
    waiting, running = queued(store, a_job(), a_job())
    store.claims.claim("w2", [running])
    age(store, 31)
    [young] = queued(store, a_job())
    finished(store, young)
    swept = sweep(store)
    assert (swept.jobs, swept.more) == (4, False)
    for job_id in (*old, lost):
        with pytest.raises(Gone, match=f"{job_id} was deleted"):
            store.jobs.get(TENANT, job_id)
    assert [state(store, one) for one in (waiting, running, young)] == [
        JobState.QUEUED,
        JobState.RUNNING,
        JobState.SUCCEEDED,
    ]
    with pytest.raises(Gone):
        store.dead_letters.redrive(lost, "ops")
    with pytest.raises(NotFound) as never:
        store.jobs.get(TENANT, "job_none")
    assert not isinstance(never.value, Gone)
    with pytest.raises(NotFound) as foreign:
        store.jobs.get("other", old[0])
    assert not isinstance(foreign.value, Gone)


def test_a_sweep_is_bounded_and_says_when_there_is_more(quick_store: Store) -> None:
    ids = queued(quick_store, *(a_job() for _ in range(PAGE + 1)))
    for one in ids:
        quick_store.jobs.cancel(TENANT, one)
    age(quick_store, 31)
    assert (sweep(quick_store).jobs, sweep(quick_store).jobs) == (PAGE, 1)


def test_a_batch_goes_whole_and_one_in_progress_keeps_its_shards(quick_store: Store) -> None:
    store = quick_store
    for name in ("batch_old", "batch_open"):
        store.batches.create(TENANT, name, TASKS[0], Priority.BULK, "f")
        finished(store, *queued(store, *(a_job(batch_id=name, ordinal=n) for n in range(3))))
    store.batches.seal(TENANT, "batch_old", 3)
    age(store, 31)
    swept = sweep(store)
    assert (swept.jobs, swept.batches) == (3, 1)
    with pytest.raises(NotFound):
        store.batches.get(TENANT, "batch_old")
    assert store.batches.get(TENANT, "batch_open").state is BatchState.IN_PROGRESS
    assert len(store.jobs.shards(TENANT, "batch_open", 0, 10)) == 3
    with pytest.raises(Conflict, match="batch_open"):
        store.retention.erase(TENANT, store.jobs.shards(TENANT, "batch_open", 0, 1)[0].id)


@pytest.mark.parametrize("state", [*BatchState])
def test_a_batch_of_an_uploaded_file_goes_once_it_has_ended(
    quick_store: Store, state: BatchState
) -> None:
    store = quick_store
    batch = ordered(store, TENANT)
    finished(store, *queued(store, a_job(batch_id=batch.id, ordinal=0)))
    put(store, batch.id, state=state, finished_at=batch.created_at)
    age(store, 31)
    swept = sweep(store)
    gone = state in BATCH_TERMINAL
    assert (swept.jobs, swept.batches) == (gone, gone)
    assert [one.id for one in store.batches.page(TENANT)] == ([] if gone else [batch.id])


def test_a_delivery_stays_until_it_was_sent(quick_store: Store) -> None:
    unsent = owe(quick_store, "http://b/")
    for closed in ("delivered", "exhausted", "held", "cancelled"):
        sent = owe(quick_store, "http://a/")
        with quick_store.database.write() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id == sent)
                .values(state=closed, finished_at=deliveries.c.created_at)
            )
    age(quick_store, 31)
    assert sweep(quick_store).deliveries == 4
    with quick_store.database.read() as connection:
        assert connection.execute(select(deliveries.c.id)).scalars().all() == [unsent]


def test_a_late_duplicate_of_a_deleted_message_is_dropped(quick_store: Store) -> None:
    store = quick_store
    adoption = Adoption(a_job(id="plain-celery-id"))
    [claim] = store.claims.claim("w1", [], [adoption])
    store.claims.finish([FinishedJob(claim, "{}", None)])
    age(store, 31)
    assert sweep(store).jobs == 1
    assert store.claims.claim("w1", [], [adoption]) == []
    age(store, 91)
    assert sweep(store).tombstones == 1
    assert len(store.claims.claim("w1", [], [adoption])) == 1  # as new


def test_a_repeated_request_of_a_deleted_job_does_not_run_it_again(quick_store: Store) -> None:
    store = quick_store
    keyed = {"idempotency_key": "k1", "body_hash": "h1"}
    finished(store, *queued(store, a_job(**keyed)))
    age(store, 31)
    sweep(store)
    with pytest.raises(Gone, match="use a new key"):
        store.jobs.insert([a_job(**keyed)])
    with pytest.raises(IdempotencyConflict):
        store.jobs.insert([a_job(idempotency_key="k1", body_hash="h2")])
    other = [a_job(), a_job(idempotency_key="k2", body_hash="h1")]
    refused, stored = store.jobs.insert_groups([[a_job(**keyed), a_job()], other])
    assert isinstance(refused, Gone)
    assert not isinstance(stored, Exception)
    assert [one.replayed for one in stored.answers] == [False, False]
    with store.database.read() as connection:
        assert len(connection.execute(select(jobs.c.id)).all()) == 2


def test_a_tenant_deletes_a_job_and_what_tells_of_it(quick_store: Store) -> None:
    store = quick_store
    done, waiting, other = queued(
        store,
        a_job(webhook="https://a.example/"),
        a_job(webhook="https://a.example/"),
        a_job(webhook="https://a.example/"),
    )
    finished(store, done, other)
    with pytest.raises(NotFound):
        store.retention.erase("other", done)
    store.retention.erase(TENANT, done)
    store.retention.erase(TENANT, waiting)
    for one in (done, waiting):
        with pytest.raises(Gone):
            store.jobs.get(TENANT, one)
        with pytest.raises(Gone):
            store.retention.erase(TENANT, one)
    with store.database.read() as connection:
        [body] = connection.execute(select(deliveries.c.body)).scalars().all()
    assert other.encode() in body
    assert state(store, other) is JobState.SUCCEEDED


def test_a_job_that_runs_is_asked_to_end_first(quick_store: Store) -> None:
    [job_id] = queued(quick_store, a_job())
    [claim] = quick_store.claims.claim("w1", [job_id])
    with pytest.raises(Conflict) as refused:
        quick_store.retention.erase(TENANT, job_id)
    assert refused.value.code == "still_running"
    assert quick_store.claims.cancelled("w1") == [job_id]
    quick_store.claims.finish([FinishedJob(claim, "{}", None)])
    quick_store.retention.erase(TENANT, job_id)


def test_nothing_of_a_deleted_text_is_left_in_the_files(settings: Settings) -> None:
    store = open_store(settings)
    [job_id] = queued(store, a_job(SECRET, webhook="https://a.example/"))
    finished(store, job_id)
    files = sorted(settings.home.glob("lepton.db*"))
    assert any(SECRET.encode() in file.read_bytes() for file in files)
    store.retention.erase(TENANT, job_id)
    store.database.checkpoint()
    for file in settings.home.glob("lepton.db*"):
        assert SECRET.encode() not in file.read_bytes()
        assert b"canary" not in file.read_bytes()
    store.close()


def test_a_sweep_reads_no_whole_table_of_jobs(quick_store: Store) -> None:
    queued(quick_store, a_job())
    with scans(quick_store, "jobs") as found:
        sweep(quick_store)
    assert found == []
