"""An order of a batch: what may stand in it, and which field is named when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.batches.orders import ENDPOINT_TASKS, BatchOrder, parse_window, read_order
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.queues import Priority

WHOLE = {
    "input_file_id": "file_1",
    "endpoint": "/v1/embeddings",
    "completion_window": "7d",
    "metadata": {"项目": "评论"},
    "output_expires_after": {"anchor": "created_at", "seconds": 3600},
    "priority": "high",
    "webhook": "https://example.test/hook",
}


def test_a_whole_order() -> None:
    order = read_order(WHOLE, "key-1")
    assert order == BatchOrder(
        "file_1",
        "/v1/embeddings",
        "7d",
        Priority.HIGH,
        "https://example.test/hook",
        {"项目": "评论"},
        3600.0,
        "key-1",
    )
    assert (order.seconds, order.task) == (7 * 86_400, "embedding")


def test_what_is_left_out_or_null() -> None:
    least = {"input_file_id": "file_1", "endpoint": "/v1/jobs"}
    order = read_order(least, None)
    assert read_order(dict.fromkeys(WHOLE) | least, None) == order
    assert (order.window, order.priority, order.webhook) == ("24h", Priority.BULK, None)
    assert (order.metadata, order.output_seconds, order.task) == ({}, None, "")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input_file_id": None}, "input_file_id"),
        ({"input_file_id": 7}, "input_file_id"),
        ({"input_file_id": "file_\0"}, "input_file_id"),
        ({"input_file_id": "f" * 300}, "input_file_id"),
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": "/v1/images/generations"}, "endpoint"),
        ({"endpoint": ["/v1/moderations"]}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": 24}, "completion_window"),
        ({"priority": "urgent"}, "priority"),
        ({"webhook": "ftp://example.test"}, "webhook"),
        ({"metadata": {"n": 1}}, "metadata.n"),
        ({"output_expires_after": 3600}, "output_expires_after"),
        ({"output_expires_after": {"anchor": "created_at"}}, "output_expires_after"),
        (
            {"output_expires_after": {"anchor": "now", "seconds": 3600}},
            "output_expires_after.anchor",
        ),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            "output_expires_after.seconds",
        ),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": None}},
            "output_expires_after.seconds",
        ),
        ({"window": "24h"}, "window"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_order(WHOLE | changes, None)
    assert caught.value.param == param
    assert param in str(caught.value) or param.split(".")[0] in str(caught.value)


def test_a_wrong_key() -> None:
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        read_order(WHOLE, "")


@pytest.mark.parametrize("text", ["", "0h", "31d", "721h", "1.5h", "-1h", "24H", "24 h", "٣h", "h"])
def test_no_window(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 30m, 24h or 7d"):
        parse_window(text)


@given(st.integers(1, 30 * 24 * 60))
def test_minutes_hours_and_days_agree(minutes: int) -> None:
    assert parse_window(f"{minutes}m") == minutes * 60
    if minutes <= 720:
        assert parse_window(f"{minutes}h") == parse_window(f"{minutes * 60}m")
    if minutes <= 30:
        assert parse_window(f"{minutes}d") == parse_window(f"{minutes * 24}h")


def test_a_hash_tells_orders_apart_and_not_their_keys() -> None:
    first = read_order(WHOLE, "a").body_hash()
    assert read_order(dict(reversed(WHOLE.items())), "b").body_hash() == first
    assert read_order(WHOLE | {"completion_window": "6d"}, "a").body_hash() != first


def test_endpoints_are_those_that_are_understood() -> None:
    assert ENDPOINT_TASKS.keys() == ENDPOINTS.keys()
    assert set(ENDPOINT_TASKS.values()) - {""} <= find_tasks().keys()
