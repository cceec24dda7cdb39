"""The child's side of a long run: it reads what to do, says how far it is, and what came of it."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from lepton_tasks.errors import LeptonError
from lepton_tasks.settings import Settings, load_settings
from workers.longruns.process import PAUSED_EXIT
from workers.text_free import describe

_SAY_SECONDS: Final = 0.5
_NICE: Final = 5
"""So that models served on the same cores come first."""


class RunFailed(LeptonError):
    """A run that cannot succeed; the message says what to change and quotes no text."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Paused(BaseException):
    """The run was asked to end, and its checkpoint is stored."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to do. ``folder`` is the run's own; ``run`` names it in what it makes."""

    item: Mapping[str, Any]
    options: Mapping[str, Any]
    folder: Path
    run: str
    settings: Settings


class Speaker:
    """Says on standard output how far a run is, twice a second at most."""

    def __init__(self, out: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._said_at = float("-inf")
        self._stage = ""
        self._began: tuple[float, float] | None = None
        self.pausing = False
        """Set by a signal: the run should store a checkpoint and raise :class:`Paused`."""

    def progress(self, stage: str, fraction: float, **figures: float | None) -> None:
        """Say that ``fraction`` of all is done; ``figures`` are those of a job's progress."""
        now = self._clock()
        if self._began is None:
            self._began = (now, fraction)
        if stage == self._stage and now - self._said_at < _SAY_SECONDS:
            return
        self._stage, self._said_at = stage, now
        begun, before = self._began
        done = fraction - before
        eta = (now - begun) * (1 - fraction) / done if done > 0 else None
        known = {name: value for name, value in figures.items() if value is not None}
        said = {"stage": stage, "fraction": round(fraction, 4), **known}
        if eta is not None:
            said["eta_seconds"] = round(eta, 1)
        self.line({"progress": said})

    def line(self, value: Mapping[str, Any]) -> None:
        """Say one JSON object."""
        self._out.write(orjson.dumps(value) + b"\n")
        self._out.flush()


Work = Callable[[Request, Speaker], Mapping[str, Any]]
"""Does what is asked; returns ``output`` (the task's raw answer) and ``made``."""


def serve(work: Work) -> int:
    """Do the one request on standard input; returns the exit code."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no line of ours
    speaker = Speaker(out)
    signal.signal(signal.SIGTERM, lambda number, frame: setattr(speaker, "pausing", True))
    os.nice(_NICE)
    try:
        asked = orjson.loads(sys.stdin.buffer.read())
        request = Request(
            asked["item"],
            asked["options"],
            Path(asked["folder"]),
            asked["run"],
            load_settings(),
        )
        result = work(request, speaker)
    except Paused:
        return PAUSED_EXIT
    except Exception as error:  # noqa: BLE001 - told as an outcome, without the texts in it
        speaker.line({"failed": why(error)})
        return 0
    speaker.line(result)
    return 0


def why(error: Exception) -> dict[str, Any]:
    """What a job is told of an error: code, message, and whether it may pass.

    >>> why(RunFailed("no_such_base", "there is no model 'x'"))["code"]
    'no_such_base'
    >>> why(OSError(28, "No space left on device"))
    {'code': 'disk_full', 'message': 'the worker has no disk space left for it', 'retryable': True}
    """
    if isinstance(error, RunFailed | LeptonError):
        return {"code": error.code, "message": str(error), "retryable": False}
    if getattr(error, "errno", None) == errno.ENOSPC or "(os error 28)" in str(error):
        message = "the worker has no disk space left for it"
        return {"code": "disk_full", "message": message, "retryable": True}
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        message = "the worker has no memory left for it: send fewer rows, or fewer labels"
        return {"code": "out_of_memory", "message": message, "retryable": False}
    message = f"the run raised {describe(error)}"
    return {"code": "run_failed", "message": message, "retryable": isinstance(error, OSError)}
