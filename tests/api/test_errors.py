"""Bad input of every kind: the status, the shape, the field, and no word of what was sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy.exc import OperationalError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.webhooks.guard import EgressGuard
from tests.support.api import Api, error_of

CANARY = "canary金丝雀"
LONG = CANARY * 3_000

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"task": "nonsense"}, "task"),
    ({"task": None}, "task"),
    ({"task": ["moderation"]}, "task"),
    ({"input": None}, "input"),
    ({"input": ""}, "input"),
    ({"input": " \n\u3000"}, "input"),
    ({"input": 7}, "input"),
    ({"input": LONG}, "input"),
    ({"input": f"{CANARY}\0"}, "input"),
    ({"inputs": [CANARY]}, "input"),
    ({"input": None, "inputs": []}, "inputs"),
    ({"input": None, "inputs": "text"}, "inputs"),
    ({"input": None, "inputs": {"a": 1}}, "inputs"),
    ({"input": None, "inputs": [CANARY, 3]}, "inputs[1]"),
    ({"input": None, "inputs": [CANARY, ""]}, "inputs[1]"),
    ({"input": None, "inputs": [CANARY] * 300}, "inputs"),
    ({"options": []}, "options"),
    ({"options": {"blockat": 1}}, "options.blockat"),
    ({"options": {"block_at": CANARY}}, "options.block_at"),
    ({"priority": "urgent"}, "priority"),
    ({"priority": 1}, "priority"),
    ({"ttl_seconds": 0}, "ttl_seconds"),
    ({"ttl_seconds": "60"}, "ttl_seconds"),
    ({"ttl_seconds": True}, "ttl_seconds"),
    ({"run_at": "tomorrow"}, "run_at"),
    ({"run_at": "2026-01-01T00:00:00"}, "run_at"),
    ({"run_at": -1}, "run_at"),
    ({"run_at": {}}, "run_at"),
    ({"webhook": "ftp://example.test/"}, "webhook"),
    ({"webhook": "http://user:secret@example.test/"}, "webhook"),
    ({"webhook": "http://127.0.0.1/"}, "webhook"),
    ({"webhook": "http://localhost:9/"}, "webhook"),
    ({"webhook": "http://10.1.2.3/"}, "webhook"),
    ({"webhook": "http://169.254.169.254/latest"}, "webhook"),
    ({"webhook": "http://[::1]/"}, "webhook"),
    ({"webhook": "http://[::ffff:127.0.0.1]/"}, "webhook"),
    ({"webhook": "http://2130706433/"}, "webhook"),
    ({"webhook": "http://1.1.1.1/"}, "webhook"),
    ({"webhook": "http://example.test/"}, "webhook"),
    ({"webhook": 5}, "webhook"),
    ({"metadata": {"k": 1}}, "metadata.k"),
    ({"metadata": [CANARY]}, "metadata"),
    ({"metadata": {"k": CANARY * 100}}, "metadata.k"),
    ({"ttl": 5}, "ttl"),
    ({"texts": [CANARY]}, "texts"),
]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged, which must never hold what a user sent."""
    with caplog.at_level(logging.DEBUG):
        yield caplog
    assert "canary" not in caplog.text
    assert "lpt_" not in caplog.text


def test_a_wrong_field_is_named(
    api: Api, subtests: pytest.Subtests, logged: pytest.LogCaptureFixture
) -> None:
    for change, param in WRONG:
        with subtests.test(str(change)[:80]):
            response = api.submit(**({"input": CANARY} | change))
            error = error_of(response, 422)
            assert error["param"] == param
            assert error["type"] == "invalid_request_error"
            assert error["message"]
            assert "canary" not in response.text
    assert api.call("GET", "/v1/jobs").json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'task': 1}",
        b'{"input": "\xff\xfe"}',
        b'{"task": "moderation", "input": "canary \\ud800"}',
        b'{"task": "moderation", "input": "canary", "ttl_seconds": NaN}',
        b"[" * 100_000,
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_not_json_is_400(api: Api, body: bytes, logged: pytest.LogCaptureFixture) -> None:
    response = api.call("POST", "/v1/jobs", content=body)
    assert error_of(response, 400)["code"] == "invalid_json"
    assert "canary" not in response.text


@pytest.mark.parametrize("body", [b"[]", b'"canary"', b"7", b"null"])
def test_a_body_that_is_no_object_is_422(api: Api, body: bytes) -> None:
    response = api.call("POST", "/v1/jobs", content=body)
    assert error_of(response, 422)["code"] == "invalid_type"
    assert "canary" not in response.text


def test_a_body_over_the_limit_is_413_whether_it_says_so_or_not(api: Api) -> None:
    body = orjson.dumps({"task": "moderation", "input": "x" * 300_000})
    declared = api.call("POST", "/v1/jobs", content=body)
    assert error_of(declared, 413)["code"] == "request_too_large"

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    chunked = api.call("POST", "/v1/jobs", content=pieces())
    assert error_of(chunked, 413)["code"] == "request_too_large"


def test_unknown_urls_and_methods_have_the_shape(
    api: Api, logged: pytest.LogCaptureFixture
) -> None:
    assert error_of(api.call("GET", "/v1/nothing/canary?x=canary"), 404)["code"] == "unknown_url"
    assert error_of(api.call("GET", "/v1/jobs/"), 404)["type"] == "invalid_request_error"
    wrong = api.call("DELETE", "/v1/jobs")
    assert error_of(wrong, 405)["code"] == "method_not_allowed"
    assert wrong.headers["allow"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=canary", "limit"),
        ("state=canary", "state"),
    ],
)
def test_a_wrong_query_parameter_is_named(api: Api, query: str, param: str) -> None:
    response = api.call("GET", f"/v1/jobs?{query}")
    assert error_of(response, 422)["param"] == param
    assert "canary" not in response.text


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "soon"])
def test_wait_has_bounds(api: Api, wait: str) -> None:
    response = api.call("GET", f"/v1/jobs/{api.submitted()}?wait={wait}")
    assert error_of(response, 422)["param"] == "wait"


def test_a_long_name_is_cut_in_the_answer(api: Api) -> None:
    error = error_of(api.submit(**{"n" * 50_000: "x"}), 422)
    assert len(error["param"]) <= 200
    assert len(error["message"]) <= 1_000


def test_private_webhooks_are_taken_where_the_operator_allows_them(api: Api) -> None:
    state = api.client.app.state  # type: ignore[attr-defined]
    state.services = replace(state.services, guard=EgressGuard(allow_private=True))
    assert api.submit(input="x", webhook="http://127.0.0.1:9/").status_code == 202


def test_a_database_that_is_away_is_503_and_to_be_tried_again(
    api: Api, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    store = api.client.app.state.services.store  # type: ignore[attr-defined]
    secret = "postgresql://user@host/canary"
    for failure in (
        StoreUnavailable("the database cannot be used"),
        OperationalError("INSERT canary", {"payload": "canary"}, Exception("canary")),
    ):

        def fail(*_: Any, failure: Exception = failure) -> Any:
            raise failure

        monkeypatch.setattr(store.jobs, "insert_groups", fail)
        response = api.submit(input="x")
        assert error_of(response, 503)["code"] == "store_unavailable"
        assert response.headers["retry-after"] == "1"
        assert "canary" not in response.text
    assert secret not in logged.text


def test_a_crash_is_500_and_tells_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, logged: pytest.LogCaptureFixture
) -> None:
    store = api.client.app.state.services.store  # type: ignore[attr-defined]

    def crash(*_: Any) -> Any:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(store.jobs, "insert_groups", crash)
    response = api.submit(input=CANARY)
    assert error_of(response, 500)["code"] == "internal_error"
    assert "canary" not in response.text
    assert response.headers["x-request-id"] in logged.text
    assert "RuntimeError" in logged.text


def test_a_good_job_leaves_no_text_in_the_log(api: Api, logged: pytest.LogCaptureFixture) -> None:
    job = api.submitted(input=CANARY, metadata={"note": CANARY})
    api.call("GET", f"/v1/jobs/{job}")
    assert "POST /v1/jobs 202" in logged.text
    assert "GET /v1/jobs/{job_id} 200" in logged.text


def test_only_a_conflict_that_is_over_soon_is_worth_a_second_try(api: Api) -> None:
    job_id = api.submitted()
    api.store.claims.claim("w1", [job_id])
    running = api.call("DELETE", f"/v1/jobs/{job_id}")
    assert (running.status_code, running.headers.get("x-should-retry")) == (409, None)
    api.call("POST", "/v1/corpora", json={"name": "手册"})
    taken = api.call("POST", "/v1/corpora", json={"name": "手册"})
    assert (taken.status_code, taken.headers["x-should-retry"]) == (409, "false")
