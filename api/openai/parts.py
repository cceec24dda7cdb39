"""A long list of inputs as several jobs: a call may hold more than one job takes."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.wire import WireRequest
from lepton_tasks.requests import JobRequest

_PLACE: Final = re.compile(r"inputs\[(\d+)\]")


def in_jobs(asked: WireRequest, most: int) -> list[JobRequest]:
    """Requests of up to ``most`` inputs each, in order."""
    if asked.single:
        return [replace(_request(asked), input=asked.inputs[0])]
    return [
        replace(_request(asked), inputs=asked.inputs[start : start + most])
        for start in range(0, len(asked.inputs), most)
    ]


def _request(asked: WireRequest) -> JobRequest:
    return JobRequest(
        task=asked.task, options=asked.options, priority=asked.priority, metadata=asked.metadata
    )


def shifted(error: InvalidInput, offset: int) -> InvalidInput:
    """Say an error of a job as one of the whole call, whose inputs before it are ``offset``.

    >>> shifted(InvalidInput("inputs[3] is empty", "inputs[3]", "empty_text"), 256).param
    'inputs[259]'
    """
    if error.param is None or not (found := _PLACE.match(error.param)):
        return error
    param = f"inputs[{int(found[1]) + offset}]{error.param[found.end() :]}"
    return InvalidInput(str(error).replace(error.param, param, 1), param, error.code)
