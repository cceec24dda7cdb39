from __future__ import annotations

import re
import time

import pytest

from tests.support.api import Api, error_of

OPEN = {"/livez", "/healthz", "/readyz"}
OWNED = [
    ("GET", "/v1/jobs/{job_id}"),
    ("POST", "/v1/jobs/{job_id}/redrive"),
    ("POST", "/v1/jobs/{job_id}/cancel"),
    ("DELETE", "/v1/jobs/{job_id}"),
    ("GET", "/v1/batches/{batch_id}"),
    ("POST", "/v1/batches/{batch_id}/cancel"),
]
"""Routes to one thing of a tenant's, in an order in which all find it. Those of webhooks have
a test of their own."""


def routes(api: Api) -> set[tuple[str, str]]:
    """All of them, as (method, path)."""
    paths = api.client.get("/openapi.json").json()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_every_route_wants_a_key(api: Api, subtests: pytest.Subtests) -> None:
    job = api.submitted()
    closed = sorted((method, path) for method, path in routes(api) if path not in OPEN)
    assert len(closed) > 15
    for method, template in closed:
        with subtests.test(f"{method} {template}"):
            url = re.sub(r"{\w+}", job, template)
            missing = api.client.request(method, url)
            assert error_of(missing, 401)["code"] == "missing_api_key"
            assert missing.headers["www-authenticate"] == "Bearer"
            for headers in (
                {"authorization": "Bearer lpt_wrong"},
                {"authorization": f"Basic {api.keys['acme']}"},
                {"x-api-key": "lpt_wrong"},
                {"authorization": f"Bearer {api.keys['acme']}x"},
                {"x-api-key": "k" * 10_000},
            ):
                wrong = api.client.request(method, url, headers=headers)
                assert error_of(wrong, 401)["type"] == "authentication_error"
                assert api.keys["acme"] not in wrong.text


def test_another_tenants_things_are_not_found(api: Api) -> None:
    job = api.submitted()
    api.store.batches.create("acme", "batch_1", "moderation", "bulk", "f", None)  # type: ignore[arg-type]
    elsewhere = (
        "webhook",
        "corpora",
        "conversations",
        "/files",
        "/uploads",
        "/results",
    )  # these have tests of their own
    everybodys = ("models",)
    ours = {
        (method, path)
        for method, path in routes(api)
        if "{" in path and not any(part in path for part in (*elsewhere, *everybodys))
    }
    assert ours == set(OWNED)
    for method, template in OWNED:
        url = template.format(job_id=job, batch_id="batch_1")
        assert error_of(api.call(method, url, "other"), 404)["code"] == "not_found"
        own = 409 if url.endswith("/redrive") else 200  # the job is not dead
        assert api.call(method, url, "acme").status_code == own
    error_of(api.call("GET", f"/v1/jobs/{job}?wait=30", "other"), 404)
    job = api.submitted()
    error_of(api.call("GET", f"/v1/jobs?after={job}", "other"), 404)
    assert api.call("GET", "/v1/jobs", "other").json()["data"] == []
    assert api.call("GET", "/v1/jobs?batch_id=batch_1", "other").json()["data"] == []


def test_a_refused_cancel_changes_nothing(api: Api) -> None:
    job = api.submitted()
    api.call("POST", f"/v1/jobs/{job}/cancel", "other")
    assert api.call("GET", f"/v1/jobs/{job}").json()["state"] == "queued"


def test_the_header_x_api_key_serves_too(api: Api) -> None:
    headers = {"x-api-key": api.keys["acme"]}
    assert api.client.get("/v1/jobs", headers=headers).status_code == 200


def test_a_revoked_key_fails_a_moment_later(api: Api) -> None:
    assert api.call("GET", "/v1/jobs").status_code == 200
    [key] = api.store.keys.all("acme")
    api.store.keys.revoke(key.id)
    end = time.monotonic() + 30  # the cache has tests of its own moment
    while api.call("GET", "/v1/jobs").status_code == 200:
        assert time.monotonic() < end
    assert error_of(api.call("GET", "/v1/jobs"), 401)["code"] == "invalid_api_key"
    assert api.call("GET", "/v1/jobs", "other").status_code == 200


def test_health_needs_no_key(api: Api) -> None:
    for url in [*OPEN, "/openapi.json"]:
        assert api.client.get(url).status_code == 200
