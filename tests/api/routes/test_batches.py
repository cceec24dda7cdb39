"""Batches over HTTP: made of files once, refused at once where that can be, listed, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from lepton_tasks.batches.orders import ENDPOINT_TASKS
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.queues import Priority
from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState
from tests.support.api import Answer, Api, error_of
from tests.support.orders import ordered, put

ENDPOINT = "/v1/moderations"


@pytest.fixture
def storage(api_settings: Settings) -> FileStorage:
    return FileStorage(api_settings.files)


@pytest.fixture
def limited(api_settings: Settings) -> Iterator[Api]:
    """An API that takes a request a second."""
    app = create_app(api_settings.model_copy(update={"request_rate": 1.0}))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Api(client, app.state.services.store, app.state.services.redis)


def a_line(custom_id: object = "a", **changes: Any) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": {"input": "你好"}}
    return orjson.dumps(line | changes, option=orjson.OPT_APPEND_NEWLINE)


def uploaded(
    api: Api, storage: FileStorage, content: bytes, tenant: str = "acme", purpose: str = "batch"
) -> str:
    file_id = new_id("file")
    with storage.draft() as draft:
        draft.write(content)
        draft.publish(file_id)
    api.store.files.create(tenant, file_id, purpose, "评论.jsonl", len(content))
    return file_id


def create(api: Api, file_id: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    body = {"input_file_id": file_id, "endpoint": ENDPOINT, "completion_window": "24h"} | fields
    return api.call("POST", "/v1/batches", json=body, headers=headers or {})


def test_a_batch_is_made_and_read(api: Api, storage: FileStorage) -> None:
    file_id = uploaded(api, storage, a_line())
    answer = create(
        api,
        file_id,
        completion_window="2h",
        metadata={"项目": "评论"},
        priority="high",
        output_expires_after={"anchor": "created_at", "seconds": 3600},
        webhook="https://example.test/hook",
    )
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{made['id']}"
    assert (made["status"], made["state"], made["task"]) == ("validating",) * 2 + ("moderation",)
    assert (made["input_file_id"], made["endpoint"]) == (file_id, ENDPOINT)
    assert (made["priority"], made["metadata"]) == ("high", {"项目": "评论"})
    assert made["expires_at"] - made["created_at"] in (7200, 7201)
    assert made["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert api.call("GET", f"/v1/batches/{made['id']}").json() == made
    error_of(api.call("GET", f"/v1/batches/{made['id']}", "other"), 404)


WRONG_LINES = [
    (b"", "empty_file", None, "input_file_id"),
    (b"\n\n", "empty_file", None, "input_file_id"),
    (a_line() + b"not JSON", "invalid_json_line", 2, "input_file_id"),
    (a_line(None), "missing_required_parameter", 1, "custom_id"),
    (a_line(method="GET"), "invalid_method", 1, "method"),
    (a_line() + a_line("b", url="/v1/embeddings"), "invalid_url", 2, "url"),
    (a_line() + b"\n" + a_line(), "duplicate_custom_id", 3, "custom_id"),
]
"""Content of a file, and what is told of it: code, line, param."""


def test_a_wrong_line_is_told_at_once(
    api: Api, storage: FileStorage, subtests: pytest.Subtests
) -> None:
    for content, code, line, param in WRONG_LINES:
        with subtests.test(code):
            answer = create(api, uploaded(api, storage, content))
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert (error["code"], error.get("line"), error["param"]) == (code, line, param)
            assert error["type"] == "invalid_request_error"
            assert line is None or error["message"].startswith(f"line {line}: ")
    assert api.call("GET", "/v1/batches").json()["data"] == []


def test_a_wrong_body_of_a_line_is_not_told_at_once(api: Api, storage: FileStorage) -> None:
    assert create(api, uploaded(api, storage, a_line(body={"inputs": 7}))).status_code == 200


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"endpoint": "/v1/images/generations"}, "endpoint"),
    ({"endpoint": None}, "endpoint"),
    ({"completion_window": "31d"}, "completion_window"),
    ({"priority": "urgent"}, "priority"),
    ({"webhook": "http://127.0.0.1/hook"}, "webhook"),
    ({"metadata": 7}, "metadata"),
    ({"output_expires_after": {}}, "output_expires_after"),
    ({"window": "24h"}, "window"),
]


def test_a_wrong_field_is_named(api: Api, storage: FileStorage, subtests: pytest.Subtests) -> None:
    file_id = uploaded(api, storage, a_line())
    for changes, param in WRONG_FIELDS:
        with subtests.test(str(changes)):
            error = error_of(create(api, file_id, **changes), 400)
            assert error["param"] == param
            if changes.get("endpoint"):
                assert all(path in error["message"] for path in ENDPOINT_TASKS)


def test_a_file_that_cannot_be_one_of_requests(api: Api, storage: FileStorage) -> None:
    for file_id in ("file_none", uploaded(api, storage, a_line(), "other")):
        error = error_of(create(api, file_id), 404)
        assert (error["code"], error["param"]) == ("not_found", "input_file_id")
    error = error_of(create(api, uploaded(api, storage, a_line(), purpose="user_data")), 400)
    assert (error["code"], error["param"]) == ("invalid_purpose", "input_file_id")


def test_a_file_whose_content_is_away(api: Api) -> None:
    file_id = new_id("file")
    api.store.files.create("acme", file_id, "batch", "评论.jsonl", 7)
    error = error_of(create(api, file_id), 503)
    assert error["code"] == "storage_unavailable"
    assert api.store.batches.page("acme") == []


def test_a_body_that_is_none(api: Api) -> None:
    assert error_of(api.call("POST", "/v1/batches", content=b"{"), 400)["code"] == "invalid_json"
    error_of(api.call("POST", "/v1/batches", content=b"[]"), 400)


def test_a_key_makes_one_batch(api: Api, storage: FileStorage) -> None:
    file_id = uploaded(api, storage, a_line())
    key = {"idempotency-key": "k-1"}
    first = create(api, file_id, key)
    assert "idempotent-replayed" not in first.headers
    api.store.batches.cancel("acme", first.json()["id"])
    put(api.store, first.json()["id"], state=BatchState.CANCELLED)
    api.store.files.delete("acme", file_id)
    again = create(api, file_id, key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    other = create(api, file_id, key, completion_window="1h")
    assert error_of(other, 422)["code"] == "idempotency_conflict"
    assert other.headers["x-should-retry"] == "false"


def test_what_a_stock_client_sends_again_makes_no_second_batch(
    api: Api, storage: FileStorage
) -> None:
    file_id = uploaded(api, storage, a_line())
    first = create(api, file_id, {"x-stainless-retry-count": "0"}).json()["id"]
    again = create(api, file_id, {"x-stainless-retry-count": "1"})
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first, "true")
    assert create(api, file_id, {"x-stainless-retry-count": "0"}).json()["id"] != first


def test_a_list_goes_on_after_its_last(api: Api) -> None:
    made = [ordered(api.store).id for _ in range(3)]
    api.store.batches.create("acme", "batch_cli", "moderation", Priority.BULK, "f")
    ordered(api.store, "other")
    page = api.call("GET", "/v1/batches?limit=3").json()
    assert [one["id"] for one in page["data"]] == ["batch_cli", made[2], made[1]]
    assert (page["object"], page["has_more"]) == ("list", True)
    assert (page["first_id"], page["last_id"]) == ("batch_cli", made[1])
    rest = api.call("GET", f"/v1/batches?limit=3&after={page['last_id']}").json()
    assert [one["id"] for one in rest["data"]] == [made[0]]
    assert not rest["has_more"]
    error_of(api.call("GET", f"/v1/batches?after={made[0]}", "other"), 404)
    assert error_of(api.call("GET", "/v1/batches?limit=101"), 400)["param"] == "limit"


def test_cancelling(api: Api) -> None:
    batch_id = ordered(api.store).id
    url = f"/v1/batches/{batch_id}/cancel"
    error_of(api.call("POST", url, "other"), 404)
    cancelled = api.call("POST", url).json()
    assert (cancelled["status"], cancelled["cancelled_at"]) == ("cancelling", None)
    assert cancelled["cancelling_at"] >= cancelled["created_at"]
    assert api.call("POST", url).json() == cancelled
    put(api.store, batch_id, state=BatchState.COMPLETED)
    assert api.call("POST", url).json()["status"] == "completed"


def test_cancelling_the_batch_of_a_command(api: Api) -> None:
    api.store.batches.create("acme", "batch_cli", "moderation", Priority.BULK, "f")
    cancelled = api.call("POST", "/v1/batches/batch_cli/cancel").json()
    assert (cancelled["status"], cancelled["endpoint"]) == ("cancelled", "")
    assert cancelled["cancelled_at"] is not None


def test_orders_count_for_the_rate_of_requests(limited: Api) -> None:
    answers = [limited.call("POST", "/v1/batches", json={}) for _ in range(30)]
    error = error_of(next(one for one in answers if one.status_code == 429), 429)
    assert error["code"] == "rate_limit_exceeded"
