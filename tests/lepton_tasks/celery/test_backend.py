"""The store seen through Celery's AsyncResult."""

from __future__ import annotations

import base64
import json
import os

import pytest
import redis
from celery import Celery
from celery.app.task import Context
from celery.exceptions import TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult, ResultSet

from lepton_tasks.celery.app import make_app
from lepton_tasks.celery.failures import JobFailed
from lepton_tasks.errors import ConfigError
from lepton_tasks.jobs import FinishedJob
from lepton_tasks.producer import Producer
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store
from tests.support.lives import TENANT, crash_alone, suspect
from tests.support.message import messages_of


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


def context(task_id: str, **fields: object) -> Context:
    return Context({"id": task_id, "task": "mine", **fields})


def test_results_of_other_tasks_are_kept_and_forgotten(store: Store, app: Celery) -> None:
    backend = app.backend
    backend.mark_as_done("mine-1", {"文": [1, 2]}, context("mine-1"))
    backend.mark_as_failure("mine-2", ValueError("no luck"), request=context("mine-2"))
    assert AsyncResult("mine-1", app=app).get(timeout=10) == {"文": [1, 2]}
    with pytest.raises(ValueError, match="no luck"):
        AsyncResult("mine-2", app=app).get(timeout=10)
    assert AsyncResult("mine-1", app=app).exists()
    assert not AsyncResult("mine-3", app=app).exists()
    AsyncResult("mine-1", app=app).forget()
    assert AsyncResult("mine-1", app=app).status == "PENDING"


def test_a_task_that_was_revoked_before_it_came_is_revoked(store: Store, app: Celery) -> None:
    app.backend.mark_as_revoked("never-came")
    with pytest.raises(TaskRevokedError):
        AsyncResult("never-came", app=app).get(timeout=10)


def test_many_results_are_waited_for_together(store: Store, live: Settings, app: Celery) -> None:
    producer = Producer(live, store)
    ids = [producer.submit("moderation", f"hi {n}").id for n in range(5)]
    for job_id in ids[:3]:
        end(store, job_id, f'{{"outputs":["{job_id}"]}}')
    producer.store.retention.erase("default", ids[3])
    app.backend.mark_as_done("mine", 7, context("mine"))
    results = ResultSet([AsyncResult(one, app=app) for one in [*ids[:3], "mine"]], app=app)
    assert results.join_native(timeout=10) == [*ids[:3], 7]
    metas = dict(app.backend.get_many(ids[:4], timeout=10))
    assert metas[ids[3]]["status"] == "FAILURE"
    with pytest.raises(CeleryTimeoutError):
        list(app.backend.get_many(ids, timeout=0.2))


def test_the_time_of_an_end_is_told(store: Store, live: Settings, app: Celery) -> None:
    submitted = Producer(live, store).submit("moderation", "hi")
    end(store, submitted.id, '{"outputs":[1]}')
    assert AsyncResult(submitted.id, app=app).date_done.year > 2000


def test_results_that_are_no_json_are_refused(live: Settings) -> None:
    app = make_app(live, [])
    app.conf.result_serializer = "pickle"
    with pytest.raises(ConfigError, match="result_serializer must be json"):
        _ = app.backend.url


def test_parts_of_a_chord_that_other_workers_ran_are_counted(
    store: Store, app: Celery, redis_url: str
) -> None:
    body = app.signature("sum", options={"task_id": "b", "queue": "users"})
    app.backend.apply_chord(("g", [AsyncResult("1", app=app), AsyncResult("2", app=app)]), body)
    app.backend.set_chord_size("g", 2)
    for n in (2, 1, 1):
        request = context(str(n), group="g", group_index=n, chord=dict(body))
        app.backend.mark_as_done(str(n), n * 10, request)
    with redis.Redis.from_url(redis_url) as client:
        [message] = messages_of(client, "users")
    assert message["headers"]["id"] == "b"
    assert json.loads(base64.b64decode(message["body"]))[0] == [[10, 20]]


def test_a_forked_child_has_connections_of_its_own(
    store: Store, live: Settings, app: Celery
) -> None:
    app.backend.mark_as_done("mine", 1, context("mine"))
    child = os.fork()
    if not child:
        code = 1
        try:
            app.backend.mark_as_done("mine-2", 2, context("mine-2"))
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert AsyncResult("mine", app=app).get(timeout=10) == 1
    assert AsyncResult("mine-2", app=app).get(timeout=10) == 2
