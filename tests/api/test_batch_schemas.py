"""A batch over HTTP: a stock client's fields and ours, of uploaded files and of commands."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import Batch as OpenAiBatch

from api.batch_schemas import BatchCreate, BatchView
from lepton_tasks.batches.orders import FIELDS
from lepton_tasks.queues import Priority
from lepton_tasks.states import BATCH_TERMINAL, BatchState
from lepton_tasks.store.batches import Batch


def a_batch(**changes: Any) -> Batch:
    values: dict[str, Any] = {
        "id": "batch_1",
        "tenant": "acme",
        "task": "moderation",
        "priority": Priority.BULK,
        "state": BatchState.IN_PROGRESS,
        "source": "/home/acme/秘密.jsonl",
        "sealed": False,
        "total_items": 0,
        "done_items": 7,
        "failed_items": 2,
        "metadata": {},
        "created_at": 1.5,
        "finished_at": None,
    }
    return Batch(**values | changes)


def ordered(**changes: Any) -> Batch:
    values: dict[str, Any] = {
        "endpoint": "/v1/moderations",
        "input_file_id": "file_1",
        "completion_window": "24h",
        "expires_at": 86401.5,
        "total_lines": 9,
        "completed_lines": 5,
        "failed_lines": 1,
    }
    return a_batch(**values | changes)


def read_by_stock_client(batch: Batch) -> OpenAiBatch:
    """As strictly as its own model has it."""
    return OpenAiBatch.model_validate_json(BatchView.of(batch).model_dump_json(), strict=True)


def test_what_failed_is_not_counted_as_completed() -> None:
    shown = BatchView.of(a_batch()).model_dump(mode="json")
    assert shown["request_counts"] == {"total": 0, "completed": 5, "failed": 2}
    whole = BatchView.of(a_batch(sealed=True, total_items=7, state=BatchState.COMPLETED))
    counts = whole.request_counts
    assert counts.completed + counts.failed == counts.total == 7


def test_a_batch_does_not_show_where_its_file_lay() -> None:
    text = BatchView.of(a_batch()).model_dump_json()
    assert "秘密" not in text and "acme" not in text


def test_a_batch_of_a_command_has_what_it_had() -> None:
    shown = BatchView.of(a_batch(state=BatchState.COMPLETED, finished_at=7.25)).model_dump()
    old = ("id", "object", "task", "state", "priority", "finished_at", "metadata")
    values: tuple[Any, ...] = ("batch_1", "batch", "moderation", "completed", "bulk", 7.25, {})
    assert tuple(shown[name] for name in old) == values
    assert (shown["endpoint"], shown["input_file_id"], shown["completion_window"]) == ("", "", "")
    read = read_by_stock_client(a_batch(state=BatchState.COMPLETED, finished_at=7.25))
    assert (read.status, read.completed_at, read.expires_at) == ("completed", 7, None)


def test_a_stock_client_reads_a_batch_in_progress() -> None:
    read = read_by_stock_client(ordered(in_progress_at=3.75, model="tiny"))
    assert (read.status, read.created_at, read.in_progress_at) == ("in_progress", 1, 3)
    assert read.model == "tiny"
    assert (read.endpoint, read.input_file_id) == ("/v1/moderations", "file_1")
    assert (read.completion_window, read.expires_at) == ("24h", 86401)
    assert read.request_counts is not None
    assert read.request_counts.model_dump() == {"total": 9, "completed": 5, "failed": 1}
    assert (read.errors, read.usage, read.output_file_id) == (None, None, None)


@pytest.mark.parametrize("state", sorted(BATCH_TERMINAL))
def test_an_end_has_its_own_time(state: BatchState) -> None:
    shown = BatchView.of(ordered(state=state, finished_at=9.5)).model_dump()
    ends = {name: shown[f"{name}_at"] for name in BATCH_TERMINAL}
    assert ends == dict.fromkeys(BATCH_TERMINAL) | {state: 9}


def test_a_stock_client_reads_faults_usage_and_files() -> None:
    fault = {"code": "invalid_url", "line": 3, "message": "no", "param": "url"}
    empty = {"code": "empty_file", "line": None, "message": "no", "param": None}
    read = read_by_stock_client(
        ordered(
            state=BatchState.FAILED,
            errors=[fault, empty],
            usage={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            output_file_id="file_2",
            error_file_id="file_3",
        )
    )
    assert read.errors is not None and read.errors.data is not None
    assert [one.model_dump() for one in read.errors.data] == [fault, empty]
    assert read.usage is not None
    assert read.usage.model_dump() == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 7,
    }
    assert (read.output_file_id, read.error_file_id) == ("file_2", "file_3")


def test_lines_that_name_their_own_tasks() -> None:
    assert BatchView.of(ordered(task="")).task is None


def test_the_documented_fields_are_those_that_are_taken() -> None:
    described = BatchCreate.model_json_schema()
    assert tuple(described["properties"]) == FIELDS
    assert described["required"] == ["input_file_id", "endpoint"]
    assert described["additionalProperties"] is False
