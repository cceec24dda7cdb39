"""Following a job of minutes to hours in a terminal: a bar there, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from lepton_tasks.jobs import Job
from lepton_tasks.producer import Producer
from lepton_tasks.states import TERMINAL, JobState

PLAIN_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0


class Shown(Protocol):
    """Where it is told how a job goes."""

    def show(self, job: Job) -> None:
        """Take note of where the job stands."""
        ...


def follow(producer: Producer, job_id: str, shown: Shown) -> Job:
    """Show a job until it has ended; returns it as it is then.

    Raises:
        NotFound: there is no such job.
    """
    while True:
        job = producer.wait(job_id, _LOOK_SECONDS)
        shown.show(job)
        if job.state in TERMINAL:
            return job


def describe(job: Job) -> str:
    """How far a job is, in one line.

    >>> describe_progress({"stage": "training", "fraction": 0.5, "step": 7, "steps": 20,
    ...     "loss": 0.43, "rows": 1200, "eta_seconds": 83.0})
    'training, step 7 of 20, loss 0.43, 1,200 rows, about 1:23 left'
    """
    if job.state is JobState.RUNNING and job.progress is not None:
        return describe_progress(job.progress)
    return str(job.state)


def describe_progress(progress: Mapping[str, Any]) -> str:
    """What a worker said last, in one line."""
    parts = [str(progress["stage"])]
    if "step" in progress:
        parts.append(f"step {progress['step']:,} of {progress['steps']:,}")
    if "loss" in progress:
        parts.append(f"loss {progress['loss']:g}")
    if "rows" in progress:
        parts.append(f"{progress['rows']:,} rows")
    if "tokens_per_second" in progress:
        parts.append(f"{progress['tokens_per_second']:,.0f} tokens/s")
    if "perplexity" in progress:
        parts.append(f"perplexity {progress['perplexity']:.1f}")
    if "eta_seconds" in progress:
        minutes, seconds = divmod(round(progress["eta_seconds"]), 60)
        parts.append(f"about {minutes}:{seconds:02} left")
    return ", ".join(parts)


class PlainLines:
    """A line when something has changed, every few seconds at most."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._said_at = float("-inf")
        self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is open."""

    def show(self, job: Job) -> None:
        """Say it, if it is time."""
        fraction = 0.0 if job.progress is None else job.progress["fraction"]
        line = f"{fraction:4.0%}  {describe(job)}"
        ended = job.state in TERMINAL
        if line == self._line or (not ended and self._clock() - self._said_at < PLAIN_SECONDS):
            return
        self._line, self._said_at = line, self._clock()
        self._say(line)


class Bar:
    """One bar of rich's."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=console
        )
        self._task = self._progress.add_task("queued", total=1.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, job: Job) -> None:
        """Move the bar."""
        fraction = 0.0 if job.progress is None else job.progress["fraction"]
        done = 1.0 if job.state is JobState.SUCCEEDED else fraction
        self._progress.update(self._task, completed=done, description=describe(job))


def shown_on(console: Console, say: Callable[[str], None]) -> AbstractContextManager[Shown]:
    """A bar on a terminal, else lines."""
    return Bar(console) if console.is_terminal else PlainLines(say)
