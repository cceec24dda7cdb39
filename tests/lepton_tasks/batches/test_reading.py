"""Lines as what they ask of tasks: grouped by task and options, or refused by their own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from lepton_tasks.batches import reading
from lepton_tasks.batches.reading import AskingLine, RefusedLine, RequestReader, Work
from lepton_tasks.bulk.shards import cut_lines
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.openai.wire import WireRequest
from lepton_tasks.requests import Admission
from tests.support.uploads import asking, packed, request_line


def reader(endpoint: str = "/v1/jobs") -> RequestReader:
    return RequestReader(ENDPOINTS[endpoint], Admission(find_tasks(), 256))


def read(endpoint: str, *bodies: Any) -> list[AskingLine | RefusedLine]:
    lines = packed(
        request_line(f"c-{number}", body, endpoint) for number, body in enumerate(bodies, 1)
    )
    return list(reader(endpoint).read(lines.splitlines(keepends=True)))


def test_items_options_and_place_are_those_of_the_line() -> None:
    one, many = read("/v1/jobs", asking("你好", block_at=0.5), asking("a", "b"))
    assert isinstance(one, AskingLine)
    assert isinstance(many, AskingLine)
    assert (one.number, one.id, one.items) == (1, "c-1", ("你好",))
    assert one.work == Work("moderation", b'{"block_at":0.5}')
    assert (many.items, many.work) == (("a", "b"), Work("moderation", b"{}"))
    assert many.size >= len(orjson.dumps(asking("a", "b")))


def test_options_nested_without_end_are_the_line_s_own_fault() -> None:
    line = packed([request_line("a", asking("好", block_at=7))])
    line = line.replace(b'"block_at":7', b'"block_at":' + b"[" * 300 + b"]" * 300)
    [refused] = reader().read([line])
    assert isinstance(refused, RefusedLine)
    assert (refused.reply.status, refused.reply.param) == (400, "options")


def test_lines_of_equal_options_share_a_shard_however_they_are_written() -> None:
    options: list[dict[str, Any]] = [
        {"max_tokens": 9, "temperature": 0.5},
        {"temperature": 0.5, "max_completion_tokens": 9, "service_tier": "flex"},
        {"temperature": 0.25},
        {"temperature": 0.5, "max_tokens": 9, "user": "u", "n": 1},
    ]
    bodies = [
        {"messages": [{"role": "user", "content": f"第 {number} 问"}], **given}
        for number, given in enumerate(options)
    ]
    lines = read("/v1/chat/completions", *bodies)
    [cut] = cut_lines(lines, 32)
    assert [len(shard.items) for shard in cut.shards] == [3, 1]
    assert [slot.shard for slot in cut.slots] == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("endpoint", "body", "code", "param"),
    [
        ("/v1/moderations", {"input": ["好", ""]}, "empty_text", "input[1]"),
        ("/v1/moderations", {"inputs": "a"}, "unsupported_parameter", "inputs"),
        ("/v1/moderations", {"input": "a\0"}, "invalid_character", "input"),
        ("/v1/jobs", {"task": "none", "input": "a"}, "unknown_task", "task"),
        ("/v1/jobs", {"task": "training", "input": "a"}, "unsupported_task", "task"),
        ("/v1/jobs", asking("a", bloc_at=1), "invalid_option", "options.bloc_at"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "hi"}], "stream": True},
            "unsupported_value",
            "stream",
        ),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 0},
            "invalid_option",
            "max_completion_tokens",
        ),
    ],
)
def test_a_wrong_body_is_refused_alone(
    endpoint: str, body: Mapping[str, Any], code: str, param: str
) -> None:
    [line] = read(endpoint, body)
    assert isinstance(line, RefusedLine)
    assert (line.reply.status, line.reply.code, line.reply.param) == (400, code, param)
    assert (line.id, line.problem.code) == ("c-1", code)


def test_lines_before_are_passed_over_and_blank_ones_are_none() -> None:
    raw = packed(request_line(f"c-{number}", asking("a")) for number in range(5)).splitlines()
    raw.insert(3, b"")
    found = list(reader().read(iter(raw), after=2))
    assert [(line.number, line.id) for line in found] == [(3, "c-2"), (5, "c-3"), (6, "c-4")]


def test_a_fault_of_ours_costs_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = ENDPOINTS["/v1/jobs"]

    class Broken:
        path = "/v1/jobs"

        def read(self, body: Mapping[str, Any]) -> WireRequest:
            if body["input"] == "秘密":
                raise KeyError(body["input"])
            return jobs.read(body)

    lines = packed(request_line(text, asking(text)) for text in ("a", "秘密", "b")).splitlines()
    broken = RequestReader(Broken(), Admission(find_tasks(), 256))
    kinds = [line.problem for line in broken.read(lines)]
    assert [problem is None for problem in kinds] == [True, False, True]
    assert "KeyError" in caplog.text
    assert "秘密" not in caplog.text


def test_options_are_checked_once_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[Any] = []
    check = Admission.check_options

    def count(self: Admission, task: Any, options: Any) -> dict[str, Any]:
        checked.append(options)
        return check(self, task, options)

    monkeypatch.setattr(Admission, "check_options", count)
    monkeypatch.setattr(reading, "_KNOWN_WORKS", 2)
    bodies = [asking("a", block_at=level / 10) for level in (1, 1, 2, 1, 3, 3)]
    assert [line.problem for line in read("/v1/jobs", *bodies)] == [None] * 6
    assert len(checked) == 3
