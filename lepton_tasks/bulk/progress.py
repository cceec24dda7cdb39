"""Showing how a run goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

PLAIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands.

    ``done`` and ``size`` are bytes of the input as it lies on disk; ``lines`` counts
    the whole run, ``fresh_lines`` and ``seconds`` what this process did of it.
    """

    done: int
    size: int
    lines: int
    errors: int
    flagged_share: float | None
    fresh_lines: int
    seconds: float

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.fresh_lines / self.seconds if self.seconds > 0 else 0.0

    def describe(self) -> str:
        """Counts in one line.

        >>> Standing(50, 100, 1200, 3, 0.25, 1200, 4.0).describe()
        '1,200 lines, 300/s, 25.0% flagged, 3 errors'
        """
        parts = [f"{self.lines:,} lines", f"{self.rate:,.0f}/s"]
        if self.flagged_share is not None:
            parts.append(f"{self.flagged_share:.1%} flagged")
        if self.errors:
            parts.append(f"{self.errors:,} error{'s' if self.errors > 1 else ''}")
        return ", ".join(parts)


class Display(Protocol):
    """Where a run tells how it goes."""

    def show(self, standing: Standing) -> None:
        """Take note of where the run stands; cheap, called often."""
        ...

    def note(self, line: str) -> None:
        """Print one line for people."""
        ...


class BarDisplay(AbstractContextManager["BarDisplay"]):
    """A progress bar with rate, flagged share and time left."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._bar = self._progress.add_task("starting", total=None)

    def show(self, standing: Standing) -> None:
        """Move the bar."""
        self._progress.update(
            self._bar,
            completed=standing.done,
            total=standing.size,
            description=standing.describe(),
        )

    def note(self, line: str) -> None:
        """Print above the bar."""
        self._progress.console.print(line, markup=False, highlight=False)

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


class PlainDisplay(AbstractContextManager["PlainDisplay"]):
    """One line every few seconds, for logs; ``echo`` prints it."""

    def __init__(self, echo: Callable[[str], None], every: float = PLAIN_SECONDS) -> None:
        self._echo = echo
        self._every = every
        self._next = time.monotonic() + every

    def show(self, standing: Standing) -> None:
        """Print the standing when it is time to."""
        clock = time.monotonic()
        if clock < self._next:
            return
        self._next = clock + self._every
        share = standing.done / standing.size if standing.size else 1.0
        left = f", {_remaining(standing)} left" if 0 < share < 1 else ""
        self._echo(f"{share:.0%}: {standing.describe()}{left}")

    def note(self, line: str) -> None:
        """Print at once."""
        self._echo(line)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def _remaining(standing: Standing) -> str:
    bytes_a_line = standing.done / standing.lines if standing.lines else 0.0
    if not standing.rate or not bytes_a_line:
        return "unknown time"
    seconds = (standing.size - standing.done) / bytes_a_line / standing.rate
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
