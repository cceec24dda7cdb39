"""Bodies of events: what the stock clients make of them, and that they stay thin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from openai import OpenAI
from standardwebhooks.webhooks import Webhook

from lepton_tasks.webhooks.events import (
    EVENT_TYPES,
    MAX_BODY_BYTES,
    batch_data,
    event_body,
    job_data,
    sample_data,
)
from lepton_tasks.webhooks.signing import new_secret, signed_headers

JOB: dict[str, Any] = {
    "id": "job_1",
    "task": "moderation",
    "state": "succeeded",
    "created_at": 1_780_000_000.25,
    "finished_at": 1_780_000_009.75,
    "metadata": '{"订单":"七"}',
    "result": '{"outputs":["好"]}',
    "error": None,
}
COUNTS = {"total_items": 3, "done_items": 3, "failed_items": 1}
BATCH = JOB | {"id": "batch_1", "state": "completed", "endpoint": ""} | COUNTS
ORDERED = BATCH | {
    "endpoint": "/v1/jobs",
    "task": "",
    "input_file_id": "file_1",
    "output_file_id": "file_2",
    "error_file_id": None,
    "total_lines": 9,
    "completed_lines": 5,
    "failed_lines": 1,
    "errors": None,
}


def test_the_stock_clients_read_a_completed_batch() -> None:
    secret = new_secret()
    body = event_body("evt_1", "batch.completed", 7, 1_780_000_009.75, batch_data(BATCH))
    headers = signed_headers([secret], "evt_1", body, datetime.now(UTC))
    with OpenAI(api_key="unused") as client:
        event = client.webhooks.unwrap(body, headers, secret=secret)
    assert event.type == "batch.completed"
    assert (event.id, event.object, event.created_at) == ("evt_1", "event", 1_780_000_009)
    assert event.data.id == "batch_1"
    read = Webhook(secret).verify(body, headers)
    assert read["sequence"] == 7
    assert read["timestamp"] == "2026-05-28T20:26:49.750000+00:00"
    assert read["data"]["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert read["data"]["metadata"] == {"订单": "七"}


@pytest.mark.parametrize("state", ["completed", "failed", "expired", "cancelled"])
def test_the_stock_client_reads_the_end_of_an_uploaded_batch(state: str) -> None:
    secret = new_secret()
    errors = '[{"code":"invalid_url","line":3,"message":"no","param":"url"}]'
    ended = ORDERED | {"state": state, "errors": errors if state == "failed" else None}
    body = event_body("evt_1", f"batch.{state}", 7, 1_780_000_009.75, batch_data(ended))
    headers = signed_headers([secret], "evt_1", body, datetime.now(UTC))
    with OpenAI(api_key="unused") as client:
        event = client.webhooks.unwrap(body, headers, secret=secret)
    assert (event.type, event.model_dump()["data"]["id"]) == (f"batch.{state}", "batch_1")
    data = orjson.loads(body)["data"]
    assert data["request_counts"] == {"total": 9, "completed": 5, "failed": 1}
    assert (data["state"], data["task"], data["endpoint"]) == (state, None, "/v1/jobs")
    files = [data[f"{name}_file_id"] for name in ("input", "output", "error")]
    assert files == ["file_1", "file_2", None]
    assert data.get("errors") == (orjson.loads(errors) if state == "failed" else None)


def test_many_faults_are_fetched() -> None:
    fault = {"code": "invalid_url", "line": 3, "message": "n" * 300, "param": "url"}
    data = batch_data(ORDERED | {"errors": orjson.dumps([fault] * 100).decode()})
    assert data["omitted"] == ["errors"]
    assert len(event_body("e", "batch.failed", 1, 0.0, data)) <= MAX_BODY_BYTES


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_the_stock_openai_client_unwraps_every_type(event_type: str) -> None:
    secret = new_secret()
    data = job_data(JOB) if event_type.startswith("job.") else sample_data(event_type)
    body = event_body("evt_2", event_type, 1, 0.5, data)
    headers = signed_headers([secret], "evt_2", body, datetime.now(UTC))
    with OpenAI(api_key="unused") as client:
        event = client.webhooks.unwrap(body, headers, secret=secret)
    assert event.type == event_type
    assert event.model_dump()["data"]["id"] == data["id"]


def test_a_small_result_travels_and_a_large_one_is_fetched() -> None:
    assert orjson.loads(event_body("e", "job.succeeded", 1, 0.0, job_data(JOB)))["data"][
        "result"
    ] == {"outputs": ["好"]}
    large = JOB | {"result": orjson.dumps({"outputs": ["好" * 7_000]}).decode()}
    data = job_data(large)
    assert "result" not in data
    assert data["omitted"] == ["result"]
    assert data["url"] == "/v1/jobs/job_1"
    assert data["metadata"] is not None


def test_no_body_is_large_whatever_is_in_it() -> None:
    fat = orjson.dumps({f"k{n}" + "键" * 60: "值" * 512 for n in range(16)}).decode()
    for metadata in ("{}", fat, orjson.dumps({"k": "x" * 17_000}).decode()):
        for length in (10, 1_900, 18_900, 19_100, 60_000):
            job = JOB | {
                "metadata": metadata,
                "result": orjson.dumps("x" * length).decode(),
                "error": '{"code":"c","message":"m"}',
            }
            body = event_body("evt_" + "0" * 26, "job.succeeded", 10**15, 1.8e9, job_data(job))
            assert len(body) <= MAX_BODY_BYTES
            assert orjson.loads(body)["data"]["error"] == {"code": "c", "message": "m"}
