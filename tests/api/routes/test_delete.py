"""Deleting a job over HTTP: its own tenant's, at once, and it never runs again."""

from __future__ import annotations

from tests.support.api import Api, error_of


def test_a_deleted_job_is_gone_for_its_tenant(api: Api) -> None:
    job_id = api.submitted(webhook="https://example.com/hook")
    api.finish(job_id)
    assert error_of(api.call("DELETE", f"/v1/jobs/{job_id}", "other"), 404)["code"] == "not_found"
    deleted = api.call("DELETE", f"/v1/jobs/{job_id}")
    assert deleted.status_code == 200
    assert deleted.json() == {"id": job_id, "object": "job", "deleted": True}
    for method, url in (
        ("GET", f"/v1/jobs/{job_id}"),
        ("DELETE", f"/v1/jobs/{job_id}"),
        ("POST", f"/v1/jobs/{job_id}/cancel"),
        ("POST", f"/v1/jobs/{job_id}/redrive"),
    ):
        error = error_of(api.call(method, url), 410)
        assert error["code"] == "deleted"
        assert job_id in error["message"]
    assert error_of(api.call("GET", f"/v1/jobs/{job_id}", "other"), 404)["code"] == "not_found"
    assert api.store.deliveries.counts("acme") == {}


def test_its_key_answers_410_and_runs_nothing(api: Api) -> None:
    headers = {"idempotency-key": "k1"}
    body = {"task": "moderation", "input": "你好"}
    job_id = api.call("POST", "/v1/jobs", json=body, headers=headers).json()["id"]
    assert api.call("DELETE", f"/v1/jobs/{job_id}").status_code == 200  # it waited
    error = error_of(api.call("POST", "/v1/jobs", json=body, headers=headers), 410)
    assert (error["code"], job_id in error["message"]) == ("deleted", True)
    assert api.call("GET", "/v1/jobs").json()["data"] == []


def test_a_running_job_is_asked_to_end_first(api: Api) -> None:
    job_id = api.submitted()
    api.store.claims.claim("w1", [job_id])
    error = error_of(api.call("DELETE", f"/v1/jobs/{job_id}"), 409)
    assert error["code"] == "still_running"
    assert api.call("GET", f"/v1/jobs/{job_id}").json()["cancel_requested"] is True
