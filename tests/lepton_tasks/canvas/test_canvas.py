"""What is read of messages, those that Celery itself makes among them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from celery import Celery

from lepton_tasks.canvas.canvas import MAX_BYTES, Canvas, read_canvas
from lepton_tasks.canvas.following import after_success
from lepton_tasks.canvas.signatures import CanvasRefused

APP = Celery("producer", set_as_current=False)
EMPTY = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def read(embed: Any, **headers: Any) -> Canvas | None:
    return read_canvas("t1", headers, embed)


def test_a_message_without_follow_ups_has_no_canvas() -> None:
    message = APP.amqp.as_task_v2("t1", "lepton.noop", ("hi",), {})
    assert read_canvas("t1", message.headers, message.body[2]) is None
    assert read(EMPTY) is None
    assert read({}) is None
    assert read(None) is None


def test_links_are_read_as_celery_writes_them() -> None:
    follow, fail = APP.signature("mine.follow"), APP.signature("mine.fail")
    message = APP.amqp.as_task_v2(
        "t1", "lepton.noop", ("hi",), {}, callbacks=[follow], errbacks=[fail], root_id="r"
    )
    canvas = read_canvas("t1", message.headers, json.loads(json.dumps(message.body[2])))
    assert canvas is not None
    assert [one["task"] for one in canvas.callbacks] == ["mine.follow"]
    assert [one["task"] for one in canvas.errbacks] == ["mine.fail"]
    assert canvas.root == "r"
    [child] = canvas.children("t1")
    assert child == [[canvas.callbacks[0]["options"]["task_id"], [["t1", None], None]], None]
    assert Canvas.load(canvas.dump()) == canvas


def test_the_body_of_a_chord_is_kept_once_for_all_its_parts() -> None:
    body = {"task": "mine.sum", "options": {"task_id": "b"}}
    canvas = read(EMPTY | {"chord": body}, group="g", group_index=3)
    assert canvas is not None
    assert (canvas.group, canvas.index, canvas.chord) == ("g", 3, body)
    assert Canvas.load(canvas.dump()).chord is None


def test_a_part_of_a_chord_names_its_group() -> None:
    with pytest.raises(CanvasRefused, match="names no group"):
        read(EMPTY | {"chord": {"task": "mine.sum"}})


@pytest.mark.parametrize("wrong", ["", "a\0", "\ud800", "长" * 256, 7, None])
def test_what_no_database_can_hold_is_no_id(wrong: Any) -> None:
    chord = EMPTY | {"chord": {"task": "mine.sum"}}
    with pytest.raises(CanvasRefused, match="names no group"):
        read(chord, group=wrong)
    canvas = read(chord, group="g", group_index=2**40, root_id=wrong)
    assert canvas is not None
    assert (canvas.index, canvas.root) == (None, "t1")
    for name in ("task_id", "group_id") if wrong is not None else ():
        inner = {"task": "mine.log", "options": {name: wrong}}
        outer = {"task": "mine.log", "options": {"link_error": [inner]}}
        with pytest.raises(CanvasRefused):
            read(EMPTY | {"chain": [outer]})


def test_arguments_nested_to_the_last_level_are_refused_at_once() -> None:
    nested: Any = "好"
    refused = 0
    for _ in range(300):
        nested = [nested]
        try:
            canvas = read(EMPTY | {"chain": [{"task": "mine.log", "args": [nested]}] * 2})
        except CanvasRefused:
            refused += 1
            continue
        assert canvas is not None
        canvas.dump()
        orjson.dumps([asdict(one) for one in after_success(canvas, "t1", {"a": [1]}).calls])
    assert refused


def test_a_canvas_is_bounded() -> None:
    long = {"task": "mine.log", "args": ["很长" * MAX_BYTES]}
    with pytest.raises(CanvasRefused, match=f"{MAX_BYTES} are allowed"):
        read(EMPTY | {"callbacks": [long]})


@pytest.mark.parametrize("wrong", [[1], "x", [{"args": []}]])
def test_what_is_no_canvas_of_celerys_is_refused(wrong: Any) -> None:
    with pytest.raises(CanvasRefused):
        read(EMPTY | {"callbacks": wrong})
