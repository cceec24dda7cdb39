from __future__ import annotations

import threading
from pathlib import Path

from fastapi.testclient import TestClient

from api.app import create_app
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.settings import Settings
from tests.support.api import Api


def test_both_are_open_and_count_what_is_there(api: Api) -> None:
    for path in ("/livez", "/healthz"):
        assert api.client.get(path).json() == {"status": "ok"}
    api.submitted(priority="bulk")
    api.store.leases.register("w1", "one@here", ["moderation"], 60)
    response = api.client.get("/readyz")
    assert response.status_code == 200
    seen = response.json()
    assert seen.pop("oldest_seconds")["moderation.bulk"] < 1_000
    assert seen.pop("workers")["moderation"] == 1  # other tasks may be installed
    assert seen == {
        "status": "ready",
        "missing": [],
        "database": "ok",
        "schema_version": "ok",
        "redis": "ok",
        "backlog": {"moderation.bulk": 1},
    }


def test_jobs_without_a_worker_are_no_reason_to_refuse_more(api: Api) -> None:
    api.submitted(priority="high")
    seen = api.client.get("/readyz")
    assert seen.status_code == 200
    assert (seen.json()["status"], seen.json()["missing"]) == ("degraded", ["worker:moderation"])
    assert seen.json()["workers"]["moderation"] == 0


def test_without_redis_jobs_are_accepted_and_readiness_is_degraded(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    app = create_app(settings)
    with TestClient(app) as client:
        store = app.state.services.store
        key = store.keys.create("acme", "test")
        headers = {"x-api-key": key}
        body = {"task": "moderation", "input": "先收下"}
        accepted = client.post("/v1/jobs", json=body, headers=headers)
        assert accepted.status_code == 202
        url = f"/v1/jobs/{accepted.json()['id']}"
        assert client.get(url, headers=headers).json()["state"] == "queued"
        assert store.outbox.unpublished_queues() == [("moderation", "normal")]
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert (ready.json()["status"], ready.json()["redis"]) == ("degraded", "unreachable")
        assert ready.json()["missing"] == ["redis", "worker:moderation"]
        # A wait hears of the end by asking the store.
        worker = threading.Timer(0.3, store.jobs.cancel, ["acme", accepted.json()["id"]])
        worker.start()
        waited = client.get(f"{url}?wait=60", headers=headers)
        worker.join()
        assert waited.json()["state"] == "cancelled"


def test_without_a_usable_database_it_is_503(api: Api) -> None:
    with api.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'other'")
    ready = api.client.get("/readyz")
    assert ready.status_code == 503
    seen = ready.json()
    assert (seen["status"], seen["missing"]) == ("unavailable", ["schema"])
    assert (seen["database"], seen["schema_version"][:11]) == ("ok", "is at other")
    assert api.client.get("/healthz").status_code == 200
