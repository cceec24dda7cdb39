"""Dead jobs over HTTP: listed, read, put back by their tenant and nobody else."""

from __future__ import annotations

from lepton_tasks.queues import Priority
from tests.support.api import Api, error_of
from tests.support.lives import dead


def test_a_dead_job_is_listed_read_and_redriven(api: Api) -> None:
    job_id = dead(api.store)
    api.submitted()
    [listed] = api.call("GET", "/v1/jobs?state=dead").json()["data"]
    assert listed["id"] == job_id
    read = api.call("GET", f"/v1/jobs/{job_id}?wait=30").json()
    assert (read["state"], read["error"]["code"], read["output"]) == ("dead", "dead", None)
    assert read["finished_at"] is not None

    redriven = api.call("POST", f"/v1/jobs/{job_id}/redrive")
    assert redriven.status_code == 200
    assert redriven.json()["state"] == "queued"
    assert redriven.json()["error"] is None
    api.finish(job_id)
    assert api.call("GET", f"/v1/jobs/{job_id}").json()["state"] == "succeeded"


def test_who_redrove_it_is_kept(api: Api) -> None:
    job_id = dead(api.store)
    api.call("POST", f"/v1/jobs/{job_id}/redrive")
    with api.store.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT redrives FROM jobs").scalar_one()
    assert api.keys["acme"][:10] in kept
    assert api.keys["acme"] not in kept


def test_another_tenants_dead_job_is_404(api: Api) -> None:
    job_id = dead(api.store)
    for url in (f"/v1/jobs/{job_id}/redrive", "/v1/jobs/none/redrive"):
        assert error_of(api.call("POST", url, "other"), 404)["code"] == "not_found"
    assert api.call("GET", "/v1/jobs?state=dead", "other").json()["data"] == []


def test_what_is_not_dead_is_a_conflict(api: Api) -> None:
    alive = api.submitted()
    error = error_of(api.call("POST", f"/v1/jobs/{alive}/redrive"), 409)
    assert (error["code"], error["type"]) == ("not_dead", "invalid_request_error")
    assert "queued" in error["message"]


def test_a_line_of_a_complete_file_is_a_conflict(api: Api) -> None:
    api.store.batches.create("acme", "batch_1", "moderation", Priority.BULK, "f")
    shard = dead(api.store, batch_id="batch_1", ordinal=0)
    api.store.batches.seal("acme", "batch_1", 1)
    error = error_of(api.call("POST", f"/v1/jobs/{shard}/redrive"), 409)
    assert error["code"] == "batch_closed"
