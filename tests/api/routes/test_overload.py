"""429 where a tenant sends more than is taken, with when to come back; others notice nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_tasks.settings import Settings
from tests.support.api import Api, error_of

MOST = 3
HOUR = 3_600.0
"""Seconds of a burst: with it the rates below fill next to nothing while a test runs."""


@pytest.fixture
def api_settings(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Settings:
    """A short backlog, or the limits that a test asks for."""
    limits = getattr(request, "param", {"tenant_backlog": MOST})
    return Settings(home=tmp_path / "home", redis_url=redis_url, **limits)


def limits(**values: float) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("api_settings", [values], indirect=True)


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


@limits(request_rate=10 / HOUR, rate_burst_seconds=HOUR)
def test_ten_times_the_burst_is_refused_and_others_are_not(api: Api) -> None:
    answers = [api.call("GET", "/v1/tasks") for _ in range(100)]
    assert [one.status_code for one in answers] == [200] * 10 + [429] * 90
    left = [one.headers["x-ratelimit-remaining-requests"] for one in answers[:10]]
    assert left == [str(n) for n in range(9, -1, -1)]
    assert answers[0].headers["x-ratelimit-limit-requests"] == "10"
    error = error_of(answers[-1], 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert 300 <= int(answers[-1].headers["retry-after"]) <= 361
    assert api.submit(input="refused unread").status_code == 429
    assert [api.call("GET", "/v1/tasks", "other").status_code for _ in range(10)] == [200] * 10
    assert api.client.get("/livez").status_code == 200


@limits(token_rate=10 / HOUR, rate_burst_seconds=HOUR)
def test_large_jobs_use_up_the_rate_sooner(api: Api) -> None:
    first = api.submit(input="x" * 24)
    assert first.status_code == 202
    assert first.headers["x-ratelimit-limit-tokens"] == "10"
    assert first.headers["x-ratelimit-remaining-tokens"] == "4"
    assert error_of(api.submit(input="x" * 24), 429)["code"] == "rate_limit_exceeded"
    assert api.submit(input="x" * 16).status_code == 202
    assert api.submit(input="x").status_code == 429
    assert api.submit("other", input="x" * 400).status_code == 202  # a full bucket's worth at least
    assert api.submit("other", input="x").status_code == 429
    assert api.call("GET", "/v1/tasks").status_code == 200


@limits(token_rate=10 / HOUR, rate_burst_seconds=HOUR)
def test_a_repeated_key_takes_nothing_and_is_always_answered(api: Api) -> None:
    def post(text: str, key: str) -> int:
        body = {"task": "moderation", "input": text}
        headers = {"Idempotency-Key": key}
        answer = api.call("POST", "/v1/jobs", json=body, headers=headers)
        ids.add(answer.json().get("id"))
        return answer.status_code

    ids: set[str] = set()
    assert [post("x" * 20, "k") for _ in range(5)] == [202] * 5
    assert len(ids) == 1
    assert post("x" * 20, "k2") == 202
    assert post("x" * 20, "k3") == 429
    assert post("x" * 20, "k") == 202
    assert post("other", "k") == 422
    assert len(ids) == 3  # two jobs, and none for the refusal


@limits(token_rate=10 / HOUR, rate_burst_seconds=HOUR, tenant_backlog=1)
def test_what_the_backlog_refuses_takes_nothing_of_the_rate(api: Api) -> None:
    job_id = api.submitted(input="x")
    for _ in range(20):
        assert error_of(api.submit(input="x"), 429)["code"] == "backlog_full"
    assert api.submit(input="x" * 36, priority="high").status_code == 202
    assert api.call("GET", f"/v1/jobs/{job_id}").json()["state"] == "queued"


def test_without_limits_nothing_is_said_of_them(api: Api) -> None:
    answer = api.submit(input="x")
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
