from __future__ import annotations

import time

import pytest

from tests.support.api import Api, error_of

CLOSED = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/{job}"),
    ("POST", "/v1/jobs/{job}/redrive"),
    ("POST", "/v1/jobs/{job}/cancel"),
    ("GET", "/v1/tasks"),
    ("GET", "/v1/batches/{batch}"),
]
OPEN = {"/livez", "/healthz", "/readyz", "/openapi.json"}


def test_the_lists_here_name_every_route(api: Api) -> None:
    paths = api.client.get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    named = {
        (method, url.replace("{job}", "{job_id}").replace("{batch}", "{batch_id}"))
        for method, url in CLOSED
    }
    assert routes == named | {("GET", path) for path in OPEN if path != "/openapi.json"}


def test_every_route_wants_a_key(api: Api, subtests: pytest.Subtests) -> None:
    job = api.submitted()
    for method, template in CLOSED:
        with subtests.test(f"{method} {template}"):
            url = template.format(job=job, batch="batch_1")
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
    for method, url in CLOSED:
        if "{" not in url:
            continue
        url = url.format(job=job, batch="batch_1")
        own = 409 if url.endswith("/redrive") else 200  # the job is not dead
        assert api.call(method, url, "acme").status_code == own
        assert error_of(api.call(method, url, "other"), 404)["code"] == "not_found"
    error_of(api.call("GET", f"/v1/jobs?after={job}", "other"), 404)
    error_of(api.call("GET", f"/v1/jobs/{job}?wait=30", "other"), 404)
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
    for url in OPEN:
        assert api.client.get(url).status_code == 200
