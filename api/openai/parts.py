"""A long list of inputs as several jobs: a call may hold more than one job takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.errors import ApiError
from lepton_tasks.errors import InvalidInput
from lepton_tasks.queues import Priority
from lepton_tasks.requests import JobRequest

MOST_INPUTS: Final = 2_048
"""As OpenAI's own bound."""
_PLACE: Final = re.compile(r"inputs\[(\d+)\]")


def in_jobs(
    task: str,
    inputs: Sequence[Any],
    options: Mapping[str, Any],
    priority: Priority,
    most: int,
    *,
    metadata: Mapping[str, str] | None = None,
    param: str = "input",
) -> list[JobRequest]:
    """Requests of up to ``most`` inputs each, in order; options that are None are left out.

    ``param`` is what the call names the inputs.

    >>> [len(one.inputs) for one in in_jobs("t", ["a"] * 5, {}, Priority.HIGH, 2)]
    [2, 2, 1]

    Raises:
        ApiError: 400, there are none, or too many.
    """
    if not 1 <= len(inputs) <= MOST_INPUTS:
        raise ApiError(
            400,
            "invalid_value",
            f"{param} has {len(inputs):,} items; send 1 to {MOST_INPUTS:,}",
            param,
        )
    given = {name: value for name, value in options.items() if value is not None}
    return [
        JobRequest(
            task=task,
            inputs=inputs[start : start + most],
            options=given,
            priority=priority,
            metadata=metadata,
        )
        for start in range(0, len(inputs), most)
    ]


def shifted(error: InvalidInput, offset: int) -> InvalidInput:
    """Say an error of a job as one of the whole call, whose inputs before it are ``offset``.

    >>> shifted(InvalidInput("inputs[3] is empty", "inputs[3]", "empty_text"), 256).param
    'inputs[259]'
    """
    if error.param is None or not (found := _PLACE.match(error.param)):
        return error
    param = f"inputs[{int(found[1]) + offset}]{error.param[found.end() :]}"
    return InvalidInput(str(error).replace(error.param, param, 1), param, error.code)
