"""What follows from an end, decided as Celery's own workers decide it."""

from __future__ import annotations

import json
from typing import Any

from celery import Celery, chain, chord, group

from lepton_tasks.canvas.canvas import read_canvas
from lepton_tasks.canvas.following import (
    after_chord,
    after_chord_failure,
    after_failure,
    after_success,
    without_run,
)

APP = Celery("producer", set_as_current=False)
WHY = {"exc_type": "JobFailed", "exc_message": ["no"], "exc_module": "m"}


def call(name: str, task_id: str | None = None, **options: Any) -> dict[str, Any]:
    return {"task": name, "options": options | ({"task_id": task_id} if task_id else {})}


def canvas_of(**embed: Any) -> Any:
    return read_canvas("t1", {"group": "g", "group_index": 2, "root_id": "r"}, embed)


def test_a_success_calls_back_and_goes_on_with_the_chain() -> None:
    canvas = canvas_of(
        callbacks=[call("a", "1")], chain=[call("last", "3"), call("next", "2")], chord=None
    )
    found = after_success(canvas, "t1", {"text": "hi"})
    assert [(one.signature["task"], one.args) for one in found.calls] == [
        ("a", [{"text": "hi"}]),
        ("next", [{"text": "hi"}]),
    ]
    options = found.calls[1].options
    assert (options["parent_id"], options["root_id"]) == ("t1", "r")
    assert [step["options"]["task_id"] for step in options["chain"]] == ["3"]
    assert not found.parts and not found.never


def test_a_success_is_a_part_of_its_chord() -> None:
    found = after_success(canvas_of(chord=call("sum", "b")), "t1", 7)
    [part] = found.parts
    assert (part.chord, part.task_id, part.index, part.result) == ("g", "t1", 2, 7)
    assert part.failure is None and not found.calls


def test_a_failure_calls_errbacks_and_fails_what_the_chain_held() -> None:
    last = call("last", "3", chord=call("sum", "b"), group_id="o", group_index=0)
    canvas = canvas_of(
        callbacks=[call("a", "1")],
        errbacks=[call("err", "e")],
        chain=[last, call("n", "2")],
        chord=call("sum", "b"),
    )
    found = after_failure(canvas, "t1", WHY)
    assert [(one.signature["task"], one.args) for one in found.calls] == [("err", ["t1"])]
    assert found.never == {"2": WHY, "3": WHY}
    assert [(part.chord, part.task_id, part.failure) for part in found.parts] == [
        ("g", "t1", WHY),
        ("o", "3", WHY),
    ]


def test_what_never_runs_fails_in_all_its_parts_as_frozen_by_celery() -> None:
    made = chain(
        APP.signature("a"),
        group([APP.signature("b"), chord([APP.signature("h")], APP.signature("c"), app=APP)]),
        app=APP,
    )
    result = made.freeze()
    found = without_run(json.loads(json.dumps(made)), WHY)
    assert set(found.never) == {result.parent.id, *(one.id for one in result.results)}


def test_the_body_of_a_chord_gets_all_results() -> None:
    [one] = after_chord(call("sum", "b"), [1, 2]).calls
    assert (one.args, one.options) == ([[1, 2]], {})


def test_the_failure_of_a_header_reaches_body_chain_errbacks_and_an_outer_chord() -> None:
    body = call(
        "sum",
        "b",
        link_error=[call("err", "e")],
        chain=[call("after", "x")],
        chord=call("outer", "o"),
        group_id="og",
        group_index=1,
    )
    found = after_chord_failure(body, WHY)
    assert found.never == {"b": WHY, "x": WHY}
    assert [(one.signature["task"], one.args) for one in found.calls] == [("err", ["b"])]
    [part] = found.parts
    assert (part.chord, part.task_id, part.index, part.body) == ("og", "b", 1, call("outer", "o"))


def test_errbacks_of_a_group_body_get_each_its_own_id() -> None:
    body = {
        "task": "celery.group",
        "subtask_type": "group",
        "options": {"task_id": "gb"},
        "kwargs": {"tasks": [call(n, n, link_error=[call("err")]) for n in ("m", "n")]},
    }
    found = after_chord_failure(body, WHY)
    assert [one.args for one in found.calls] == [["m"], ["n"]]
    assert set(found.never) == {"m", "n"}
