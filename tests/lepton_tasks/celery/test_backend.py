"""The store seen through Celery's AsyncResult."""

from __future__ import annotations

import pytest
from celery import Celery
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult

from lepton_tasks.celery.app import make_app
from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.support.lives import TENANT, crash_alone, suspect


@pytest.fixture
def live(settings: Settings, database_url: str, redis_url: str) -> Settings:
    return settings.model_copy(update={"database_url": database_url, "redis_url": redis_url})


@pytest.fixture
def app(live: Settings) -> Celery:
    return make_app(live, ["moderation"])


def end(store: Store, job_id: str, result: str | None, error: str | None = None) -> None:
    [claim] = store.claims.claim("w1", [job_id])
    store.claims.finish([FinishedJob(claim, result, error)])


def test_success(store: Store, live: Settings, app: Celery) -> None:
    submitted = Producer(live, store).submit("moderation", "hi")
    result = AsyncResult(submitted.id, app=app)
    assert result.status == "PENDING"
    end(store, submitted.id, '{"outputs":[{"flagged":true}]}')
    assert result.get(timeout=10) == {"flagged": True}
    assert result.successful()


def test_failure_raises_with_the_code(store: Store, live: Settings, app: Celery) -> None:
    submitted = Producer(live, store).submit("moderation", "hi")
    end(store, submitted.id, None, '{"code":"model_error","message":"no luck"}')
    with pytest.raises(JobFailed, match="model_error: no luck"):
        AsyncResult(submitted.id, app=app).get(timeout=10)


def test_a_dead_job_has_failed(settings: Settings, redis_url: str) -> None:
    live = settings.model_copy(update={"redis_url": redis_url, "default_tenant": TENANT})
    store = open_store(live)
    job_id = suspect(store)
    result = AsyncResult(job_id, app=make_app(live, ["moderation"]))
    assert result.status == "STARTED"
    crash_alone(store, times=3)
    with pytest.raises(JobFailed, match="dead: its worker died 3 times"):
        result.get(timeout=10)
    assert result.failed()
    store.close()


def test_cancelled_is_revoked(store: Store, live: Settings, app: Celery) -> None:
    producer = Producer(live, store)
    submitted = producer.submit("moderation", "hi")
    producer.cancel(submitted.id)
    with pytest.raises(TaskRevokedError):
        AsyncResult(submitted.id, app=app).get(timeout=10)


def test_a_job_that_does_not_end_times_out(store: Store, live: Settings, app: Celery) -> None:
    submitted = Producer(live, store).submit("moderation", "hi")
    with pytest.raises(CeleryTimeoutError):
        AsyncResult(submitted.id, app=app).get(timeout=0.2)


def test_other_tenants_jobs_are_unknown(store: Store, live: Settings, app: Celery) -> None:
    submitted = Producer(live, store).submit("moderation", "hi", tenant="acme")
    end(store, submitted.id, '{"outputs":[1]}')
    assert AsyncResult(submitted.id, app=app).status == "PENDING"


def test_a_client_with_only_urls_reads_results(store: Store, live: Settings) -> None:
    url = f"lepton_tasks.celery.backend:StoreBackend+{live.store_url}"
    plain = Celery(broker=live.redis_url, backend=url, set_as_current=False)
    submitted = Producer(live, store).submit("moderation", "hi")
    end(store, submitted.id, '{"outputs":[7]}')
    assert AsyncResult(submitted.id, app=plain).get(timeout=10) == 7
    alias = Celery(broker=live.redis_url, backend=f"lepton+{live.store_url}", set_as_current=False)
    assert AsyncResult(submitted.id, app=alias).get(timeout=10) == 7
