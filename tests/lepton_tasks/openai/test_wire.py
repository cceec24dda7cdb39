"""Requests apart from their endpoints: how many inputs, what fails them, streams."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.openai.wire import MOST_INPUTS, WireRequest, counted, refuse_stream

GOOD = {"flagged": False}


def bad(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "why"}}


def request(*, partial: bool) -> WireRequest:
    return WireRequest("moderation", ("a", "b"), {}, {}, lambda *_: {}, partial=partial)


@pytest.mark.parametrize(
    ("outputs", "whole", "partial"),
    [
        ([GOOD, GOOD], None, None),
        ([GOOD, bad("encoding_failed")], 400, None),
        ([bad("unknown_model"), bad("encoding_failed")], 404, 404),
    ],
)
def test_an_error_among_outputs_fails_what_must_be_whole(
    outputs: list[Any], whole: int | None, partial: int | None
) -> None:
    for expected, asked in ((whole, request(partial=False)), (partial, request(partial=True))):
        found = asked.failure(outputs)
        assert (found and found.status) == expected


@pytest.mark.parametrize("inputs", [[], ["a"] * (MOST_INPUTS + 1)])
def test_there_is_one_input_at_least_and_not_too_many(inputs: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"^prompt has .* send 1 to 2,048") as caught:
        counted(inputs, "prompt")
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/chat/completions", {"messages": [], "stream": True}, "stream"),
        ("/v1/completions", {"prompt": "今天", "stream": True}, "stream"),
        (
            "/v1/jobs",
            {"task": "generation", "input": "今天", "options": {"stream": True}},
            "options.stream",
        ),
    ],
)
def test_a_stream_is_refused_by_the_name_that_asked_for_it(
    path: str, body: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        refuse_stream(ENDPOINTS[path].read(body))
    assert caught.value.param == param


def test_what_is_answered_whole_is_no_stream() -> None:
    refuse_stream(ENDPOINTS["/v1/moderations"].read({"input": "好"}))
    refuse_stream(ENDPOINTS["/v1/completions"].read({"prompt": "今天", "stream": False}))
