from __future__ import annotations

import json
from typing import Any

import pytest
from celery import Celery

from lepton_tasks.transport.envelope import fault_in


def sent(**options: Any) -> dict[str, Any]:
    """A message as stock Celery makes it."""
    app = Celery(set_as_current=False)
    task = app.amqp.as_task_v2("id-1", "t", args=["你好"], **options)
    return {
        "body": "",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": json.loads(json.dumps(task.headers)),
        "properties": {"delivery_info": {"exchange": "", "routing_key": "q"}, "priority": 0},
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"countdown": 5, "expires": 60, "time_limit": 3, "soft_time_limit": 2},
        {"group_id": "g", "group_index": 2, "root_id": "r", "parent_id": "p", "retries": 3},
        {"shadow": "名字", "stamped_headers": ["s"], "s": ["1"], "stamps": {"s": ["1"]}},
        {"ignore_result": True, "origin": "me", "argsrepr": "…", "replaced_task_nesting": 1},
    ],
)
def test_what_celery_sends_has_no_fault(options: dict[str, Any]) -> None:
    assert fault_in(sent(**options)) is None


def test_messages_of_others_may_use_celerys_names() -> None:
    message = sent()
    message["headers"] = {"id": 5, "group": ["a"], "eta": "soon"}
    assert fault_in(message) is None
    assert fault_in(message | {"headers": None}) is None


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("task", ["secret"], "headers.task is of type list"),
        ("id", 5, "headers.id is of type int"),
        ("id", "a\x00secret", "headers.id has characters that cannot be printed"),
        ("id", "\ud800", "headers.id has characters that cannot be printed"),
        ("shadow", {}, "headers.shadow is of type dict"),
        ("stamped_headers", 5, "headers.stamped_headers is of type int"),
        (
            "stamped_headers",
            [["secret"]],
            "headers.stamped_headers holds other things than strings",
        ),
        ("stamps", [], "headers.stamps is of type list"),
        ("timelimit", 5, "headers.timelimit is of type int"),
        ("eta", "", "headers.eta is no ISO 8601 time"),
        ("eta", "secret", "headers.eta is no ISO 8601 time"),
        ("expires", 5, "headers.expires is no ISO 8601 time"),
    ],
)
def test_a_header_that_celery_would_fall_over(name: str, value: Any, fault: str) -> None:
    message = sent()
    message["headers"][name] = value
    assert fault_in(message) == fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"headers": ["secret"]}, "headers is of type list"),
        ({"properties": None}, "properties is of type NoneType"),
        ({"properties": {"delivery_info": 5}}, "properties.delivery_info is of type int"),
        (
            {"properties": {"delivery_info": {"routing_key": ["secret"]}}},
            "properties.delivery_info.routing_key is of type list",
        ),
        (
            {"properties": {"delivery_info": {}, "priority": 1e999}},
            "properties.priority is of type float",
        ),
        ({"content-type": {}}, "content-type is of type dict"),
        ({"content-encoding": "zlib_codec"}, "content-encoding is unknown"),
    ],
)
def test_an_envelope_that_kombu_would_fall_over(changes: dict[str, Any], fault: str) -> None:
    assert fault_in(sent() | changes) == fault
