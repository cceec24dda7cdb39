"""From a shard that has ended to one outcome a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lepton_tasks.bulk.lines import Problem
from lepton_tasks.jobs import Job
from lepton_tasks.states import JobState

CANCELLED: Final = Problem("cancelled", "the batch was cancelled before this line was done")


def outcomes_of(job: Job) -> list[Any]:
    """Return, for each input of an ended job, its output (JSON values) or a Problem.

    An output that is an object with the one key ``error``, itself an object, is how a
    worker says that this input failed and its neighbours did not.
    """
    if job.state is JobState.SUCCEEDED and job.result is not None:
        return [_outcome(output) for output in job.result["outputs"]]
    if job.state is JobState.CANCELLED:
        return [CANCELLED] * job.items
    return [_problem(job.error or {})] * job.items


def _outcome(output: Any) -> Any:
    """Tell an output from a failure.

    >>> _outcome({"flagged": True})
    {'flagged': True}
    >>> _outcome({"error": {"code": "model_error", "message": "no"}})
    Problem(code='model_error', message='no')
    """
    if (
        isinstance(output, dict)
        and output.keys() == {"error"}
        and isinstance(output["error"], dict)
    ):
        return _problem(output["error"])
    return output


def _problem(error: Mapping[str, Any]) -> Problem:
    return Problem(str(error.get("code", "error")), str(error.get("message", "no reason given")))
