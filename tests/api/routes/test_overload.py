"""429 where a tenant sends more than is taken, with when to come back; others notice nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.settings import Settings
from tests.support.api import Api, error_of

MOST = 3


@pytest.fixture
def api_settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(home=tmp_path / "home", redis_url=redis_url, tenant_backlog=MOST)


def test_a_full_backlog_is_a_429_with_a_time_to_come_back(api: Api) -> None:
    accepted = [api.submitted(input=f"第 {n} 个") for n in range(MOST)]
    refused = api.submit(input="canary 金丝雀")
    error = error_of(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert (error["type"], error["code"], error["param"]) == (
        "rate_limit_error",
        "backlog_full",
        None,
    )
    assert "canary" not in refused.text
    assert api.submit("other", input="fine").status_code == 202
    assert api.submit(input="now", priority="high").status_code == 202
    for job_id in accepted:
        assert api.call("GET", f"/v1/jobs/{job_id}").json()["state"] == "queued"


def test_a_key_that_was_used_gives_the_first_job_at_the_bound_too(api: Api) -> None:
    body = {"task": "moderation", "input": "一次"}
    key = {"Idempotency-Key": "order-7"}
    first = api.call("POST", "/v1/jobs", json=body, headers=key).json()["id"]
    for _ in range(MOST - 1):
        api.submitted()
    assert error_of(api.submit(input="new"), 429)["code"] == "backlog_full"
    again = api.call("POST", "/v1/jobs", json=body, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first)
    assert again.headers["idempotent-replayed"] == "true"
    changed = api.call("POST", "/v1/jobs", json=body | {"input": "two"}, headers=key)
    assert error_of(changed, 422)["code"] == "idempotency_conflict"
