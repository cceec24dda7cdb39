"""Calling a function that may take too long, from a thread that must go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Final

from workers.errors import ModelError

MOST_ABANDONED: Final = 8
"""Calls that may run on unheeded at one time; each holds a thread and a core."""


class BoundedCalls:
    """Runs calls in a helper thread, one at a time, each for a limited time.

    A thread cannot be stopped from outside. So a call that takes too long is abandoned:
    its thread ends when the call does, its result is dropped, and a new thread serves
    the next call. Code that holds the GIL throughout is not bounded by this; that is
    the supervisor's to see.
    """

    def __init__(self, seconds: float, name: str) -> None:
        """``seconds`` is the most that one call may take, ``name`` that of the threads."""
        self._seconds = seconds
        self._name = name
        self._lane: _Lane | None = None
        self._abandoned: list[_Lane] = []

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Return ``work()``.

        Raises:
            TimeoutError: it took too long and was abandoned.
            ModelError: too many abandoned calls still run; this process is no use any more.
            Exception: whatever ``work`` raises.
        """
        lane = self._lane or _Lane(self._name)
        self._lane = lane
        try:
            return lane.call(work, self._seconds)
        except queue.Empty:
            self._lane = None
            lane.end()
            self._abandoned = [one for one in (*self._abandoned, lane) if one.is_alive()]
            if len(self._abandoned) > MOST_ABANDONED:
                raise ModelError(
                    f"{len(self._abandoned)} calls that took over {self._seconds:g} s still run"
                ) from None
            raise TimeoutError(f"took over {self._seconds:g} s") from None

    def close(self) -> None:
        """Let the helper thread end."""
        if self._lane is not None:
            self._lane.end()
            self._lane = None


class _Lane:
    """One helper thread with its two one-place queues."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], Any], seconds: float) -> Any:
        self._calls.put(work)
        value, error = self._answers.get(timeout=seconds)
        if error is not None:
            raise error
        return value

    def end(self) -> None:
        self._calls.put(None)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while (work := self._calls.get()) is not None:
            try:
                answer = (work(), None)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                self._answers.put((None, error))
            else:
                self._answers.put(answer)
