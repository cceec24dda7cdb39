"""Why a job cannot have the model it names: what its producer is told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SHOWN: Final = 80
_PATH = re.compile(r"(?<![\w.])/(?:[^\s/:,;'\"]+/)*([^\s/:,;'\"]+)")


@dataclass(frozen=True, slots=True)
class Refused:
    """``code`` and ``message`` of the error that the job's items end with.

    ``retryable`` tells that the worker may have the model later.
    """

    code: str
    message: str
    retryable: bool = False


def unknown_model(task: str, model: str, known: Iterable[str], hint: str = "") -> Refused:
    """The catalogue has no such model for the task; ``hint`` ends the message.

    >>> unknown_model("moderation", "big", ["small", "best"]).message
    "there is no model 'big' for moderation; the models are: best, small"
    """
    names = ", ".join(sorted(known))
    return Refused(
        "unknown_model",
        f"there is no model {model[:_SHOWN]!r} for {task}; the models are: {names}{hint}",
    )


def model_unavailable(
    model: str, reason: str, folders: Iterable[Path | None] = (), retryable: bool = False
) -> Refused:
    """The catalogue has the model, but this worker cannot run it.

    Where files lie is the operator's business: paths in ``reason`` are cut to their last
    part, those in ``folders`` even where their names hold blanks.

    >>> model_unavailable("big", "/srv/models/big has no config.json").message
    "the model 'big' is not available: big has no config.json"
    """
    for folder in filter(None, folders):
        reason = reason.replace(str(folder), folder.name)
    shown = _PATH.sub(r"\1", reason)
    return Refused("model_unavailable", f"the model {model!r} is not available: {shown}", retryable)
