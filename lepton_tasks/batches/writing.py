"""The lines of a batch's two files, and the sums over them. Pure.

What is written depends on the batch and the line alone, and on the jobs as they are stored,
so a resumed run writes the same bytes again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.shards import Slot
from lepton_tasks.jobs import Job
from lepton_tasks.openai.failures import WireFailure
from lepton_tasks.openai.wire import WireRequest
from lepton_tasks.states import JobState

logger = logging.getLogger(__name__)

CANCELLED: Final = Problem("batch_cancelled", "the batch was cancelled before this line was done")
EXPIRED: Final = Problem(
    "batch_expired", "the completion window of the batch ended before this line was done"
)
_UNDONE: Final = {JobState.CANCELLED: CANCELLED, JobState.EXPIRED: EXPIRED}
_BROKEN: Final = WireFailure(
    500, "internal_error", "the answer could not be written; tell the operator"
)
_USAGE: Final = (
    ("input_tokens", "prompt_tokens"),
    ("output_tokens", "completion_tokens"),
    ("total_tokens", "total_tokens"),
)

Answer = Mapping[str, Any] | WireFailure | Problem
"""What became of a line: a body, an HTTP failure, or why it was not done."""


def answer_of(bare_id: str, slot: Slot, job: Job | None, outcomes: Sequence[Any]) -> Answer:
    """Tell what became of a line; ``bare_id`` is the one that its answer has."""
    if slot.problem is not None:
        return slot.reply if isinstance(slot.reply, WireFailure) else slot.problem
    assert job is not None  # noqa: S101
    if job.state in _UNDONE:
        return _UNDONE[job.state]
    request: WireRequest = slot.reply
    outputs = [{"error": one._asdict()} if isinstance(one, Problem) else one for one in outcomes]
    try:
        return request.failure(outputs) or request.reply(
            bare_id, job.created_at, outputs, _model(job)
        )
    except Exception as error:  # noqa: BLE001 - one line must not hold up all others
        # Without the traceback, which may quote the line.
        logger.error("line %d could not be answered: %s", slot.number, type(error).__name__)
        return _BROKEN


def bare_id(batch_id: str, number: int) -> str:
    """Id of a line, without a prefix: that of its batch, and its number.

    >>> bare_id("batch_01k3", 26)
    '01k30000001a'
    """
    return f"{batch_id.rpartition('_')[2]}{number:08x}"


def answer_line(bare: str, custom_id: object, answer: Answer) -> bytes:
    r"""A line of either file.

    >>> answer_line("01", "评-1", {"ok": True}).decode()
    '{"id":"batch_req_01","custom_id":"评-1","response":{"status_code":200,"request_id":"req_01","body":{"ok":true}},"error":null}\n'
    >>> orjson.loads(answer_line("01", "a", EXPIRED))["error"]["code"]
    'batch_expired'
    """
    error = response = None
    if isinstance(answer, Problem):
        error = answer._asdict()
    elif isinstance(answer, WireFailure):
        response = _response(bare, answer.status, answer.body())
    else:
        response = _response(bare, 200, answer)
    line = {
        "id": f"batch_req_{bare}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def add_usage(usage: dict[str, int], body: Mapping[str, Any]) -> None:
    """Add the tokens that one answer tells of, if it does.

    >>> usage = {}
    >>> add_usage(usage, {"usage": {"prompt_tokens": 3, "total_tokens": 3}})
    >>> add_usage(usage, {"usage": {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}})
    >>> add_usage(usage, {"results": []})
    >>> usage
    {'input_tokens': 5, 'output_tokens': 4, 'total_tokens': 9}
    """
    told = body.get("usage")
    if not isinstance(told, dict):
        return
    for ours, theirs in _USAGE:
        count = told.get(theirs, 0)
        if isinstance(count, int):
            usage[ours] = usage.get(ours, 0) + count


def _response(bare: str, status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"status_code": status, "request_id": f"req_{bare}", "body": body}


def _model(job: Job) -> str | None:
    model = (job.result or {}).get("model")
    name = model.get("name") if isinstance(model, dict) else None
    return name if isinstance(name, str) else None
