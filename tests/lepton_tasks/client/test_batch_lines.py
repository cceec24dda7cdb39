from __future__ import annotations

from typing import Any

import orjson
import pytest

from lepton_tasks.client.batch_lines import JOBS, LineWriter, read_result
from lepton_tasks.client.tasks import ItemError, Outputs, outputs_of
from lepton_tasks.errors import InvalidInput

USER = {"messages": [{"role": "user", "content": "你好"}]}


@pytest.mark.parametrize(
    ("writer", "item", "body"),
    [
        (LineWriter(JOBS, "sentiment"), "很好", {"task": "sentiment", "input": "很好"}),
        (
            LineWriter(JOBS, "chat", {"seed": 1}),
            "你好",
            {"task": "chat", "input": USER, "options": {"seed": 1}},
        ),
        (LineWriter("/v1/moderations"), "很好", {"input": "很好"}),
        (
            LineWriter("/v1/embeddings", None, {"dimensions": 64}),
            "x",
            {"input": "x", "dimensions": 64},
        ),
        (LineWriter("/v1/completions"), "Once", {"prompt": "Once"}),
        (LineWriter("/v1/chat/completions"), "你好", USER),
        (
            LineWriter("/v1/completions", None, {"seed": 1}),
            {"prompt": "a", "seed": 2},
            {"prompt": "a", "seed": 2},
        ),
        (LineWriter(JOBS), {"task": "noop", "input": "x"}, {"task": "noop", "input": "x"}),
    ],
)
def test_items_become_requests(writer: LineWriter, item: Any, body: Any) -> None:
    line = writer.line(7, item)
    assert line.endswith(b"\n")
    request = {"custom_id": "7", "method": "POST", "url": writer.endpoint, "body": body}
    assert orjson.loads(line) == request
    assert orjson.loads(writer.line(7, ("行-1", item))) == request | {"custom_id": "行-1"}


def test_a_request_that_is_whole_stays_as_it_is() -> None:
    request = {"custom_id": "a", "method": "POST", "url": "/v1/x", "body": {"input": "b"}}
    assert orjson.loads(LineWriter("/v1/moderations").line(1, request)) == request


def test_an_item_that_is_no_body_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"item 7 must be a text or a body .* not int"):
        LineWriter("/v1/moderations").line(7, 5)


def line(response: Any, error: Any = None) -> dict[str, Any]:
    return {"id": "batch_req_1", "custom_id": "a", "response": response, "error": error}


def test_results_are_outputs_bodies_or_errors() -> None:
    good = read_result(
        line({"status_code": 200, "body": {"output": [1]}}), Outputs[Any]("x"), job=True
    )
    assert (good.ok, good.output, good.custom_id, good.status_code) == (True, [1], "a", 200)
    body = {"results": [{"flagged": False}], "output": 1}
    other = read_result(
        line({"status_code": 200, "body": body}), outputs_of("moderation"), job=False
    )
    assert other.output == body
    several = read_result(
        line({"status_code": 200, "body": {"outputs": [1, 2]}}), outputs_of("moderation"), job=True
    )
    assert several.output == {"outputs": [1, 2]}
    for wrong in (
        line({"status_code": 400, "body": {"error": {"code": "c", "message": "m"}}}),
        line(None, {"code": "c", "message": "m"}),
        line({"status_code": 200, "body": {"output": {"error": {"code": "c", "message": "m"}}}}),
    ):
        result = read_result(wrong, outputs_of("moderation"), job=True)
        assert result.output == ItemError("c", "m")
        assert not result.ok
