"""What is written of a line: an answer, a failure with its status, or why it was not done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from lepton_tasks.batches.writing import (
    CANCELLED,
    EXPIRED,
    Answer,
    add_usage,
    answer_line,
    answer_of,
    bare_id,
)
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.shards import Slot
from lepton_tasks.jobs import Job
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.openai.failures import WireFailure
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from tests.support.uploads import asking

_JOB = Job(
    id="job_1",
    tenant="acme",
    task="chat",
    priority=Priority.BULK,
    state=JobState.SUCCEEDED,
    single=False,
    items=1,
    attempts=1,
    created_at=1_700_000_000.5,
    started_at=None,
    finished_at=None,
    run_at=0,
    deadline=None,
    cancel_requested=False,
    batch_id="batch_01",
    ordinal=0,
    metadata={},
    result={"model": {"name": "tiny-chat"}, "outputs": []},
    error=None,
)
_CHAT = ENDPOINTS["/v1/chat/completions"].read({"messages": [{"role": "user", "content": "问"}]})
_OUTPUT = {
    "message": {"role": "assistant", "content": "答"},
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 3, "completion_tokens": 5},
}


def answered(
    outcomes: list[Any], reply: Any = _CHAT, problem: Problem | None = None, **job: Any
) -> Answer:
    slot = Slot(7, "评-7", problem, reply=reply)
    return answer_of("0107", slot, replace(_JOB, **job) if problem is None else None, outcomes)


def test_an_answer_is_what_a_call_would_get() -> None:
    body = answered([_OUTPUT])
    assert isinstance(body, dict)
    assert (body["id"], body["created"]) == ("chatcmpl_0107", 1_700_000_000)
    assert body["choices"][0]["message"]["content"] == "答"
    assert body["usage"]["total_tokens"] == 8
    row = orjson.loads(answer_line("0107", "评-7", body))
    assert row == {
        "id": "batch_req_0107",
        "custom_id": "评-7",
        "response": {"status_code": 200, "request_id": "req_0107", "body": body},
        "error": None,
    }


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("unknown_model", 404, "model_not_found"),
        ("context_exceeded", 400, "context_length_exceeded"),
        ("corpus_not_found", 400, "corpus_not_found"),
        ("crashed", 500, "crashed"),
    ],
)
def test_a_failure_has_the_status_of_a_call_s(code: str, status: int, told: str) -> None:
    failure = answered([Problem(code, "why")])
    assert isinstance(failure, WireFailure)
    row = orjson.loads(answer_line("0107", "a", failure))
    assert row["error"] is None
    assert row["response"]["status_code"] == status
    assert row["response"]["body"]["error"]["code"] == told


def test_errors_beside_outputs_are_in_the_answer_of_a_job() -> None:
    jobs = ENDPOINTS["/v1/jobs"]
    mixed = answered([{"flagged": True}, Problem("model_error", "no")], jobs.read(asking("a", "b")))
    assert mixed == {
        "outputs": [{"flagged": True}, {"error": {"code": "model_error", "message": "no"}}]
    }
    single = answered([Problem("model_error", "no")], jobs.read(asking("a")))
    assert isinstance(single, WireFailure)


@pytest.mark.parametrize(
    ("state", "problem"), [(JobState.CANCELLED, CANCELLED), (JobState.EXPIRED, EXPIRED)]
)
def test_what_was_not_done_says_why(state: JobState, problem: Problem) -> None:
    for answer in (
        answered([Problem("x", "y")], state=state),
        answered([], problem=problem),
    ):
        assert answer is problem
        row = orjson.loads(answer_line("0107", "a", answer))
        assert (row["response"], row["error"]["code"]) == (None, problem.code)


def test_a_refused_body_stays_refused_whatever_becomes_of_the_batch() -> None:
    refusal = WireFailure(400, "empty_text", "input is empty", "input")
    assert answered([], refusal, Problem("empty_text", "input is empty")) is refusal


def test_an_answer_that_cannot_be_made_costs_its_line(caplog: pytest.LogCaptureFixture) -> None:
    failure = answered([{"秘密": 1}])
    assert isinstance(failure, WireFailure)
    assert (failure.status, failure.code) == (500, "internal_error")
    assert "秘密" not in caplog.text


def test_ids_are_those_of_the_batch_and_the_line() -> None:
    ids = [bare_id("batch_01k3", number) for number in (1, 2, 1_000_000)]
    assert ids == sorted(ids)
    assert len({len(one) for one in ids}) == 1


def test_usage_adds_up_and_is_none_where_none_is_told() -> None:
    usage: dict[str, int] = {}
    add_usage(usage, {"results": []})
    assert usage == {}
    for _ in range(2):
        add_usage(usage, {"usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}})
    assert usage == {"input_tokens": 6, "output_tokens": 10, "total_tokens": 16}
