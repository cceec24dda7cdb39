"""Clients that submit while things break, and repeat under the same key what was not answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.requests import JobRequest
from tests.chaos.operations import Kind
from tests.chaos.rig import TASK, Rig, until

_CHUNK: Final = 10
MOST_OPEN: Final = 200
"""Jobs that keep two workers busy with some in reserve."""
WEBHOOK: Final = "http://127.0.0.1:9/chaos"
"""Each job owes an event there; nobody sends it, for it is the rows that are counted."""


def always_answer(number: int) -> str:
    """Texts of good inputs, every second of them Chinese."""
    return "answer 好" if number % 2 else "answer"


class Load:
    """Submits from one thread within the block; at most ``most_open`` jobs have not ended.

    ``verb`` gives the text of a job by its number. At the end of the block every submit
    has had its answer.
    """

    def __init__(
        self,
        rig: Rig,
        verb: Callable[[int], str] = always_answer,
        most_open: int = MOST_OPEN,
        first: int = 0,
    ) -> None:
        self.keys: dict[str, int] = {}
        self.error: BaseException | None = None
        self.most_open = most_open
        self._rig = rig
        self._verb = verb
        self._next = first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` jobs of this load have been acknowledged."""
        until(lambda: self.error is not None or len(self.keys) >= count, "the load is stuck")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self.error is not None and error is None:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._has_room():
                    self.submit(_CHUNK)
                else:
                    time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001 - raised again where the block ends
            self.error = error

    def _has_room(self) -> bool:
        try:
            return self._rig.history.open_jobs() < self.most_open
        except (StoreUnavailable, DBAPIError):
            return True  # a submit while the database is away is what these runs are about

    def submit(self, count: int) -> None:
        """Submit the next ``count`` jobs in one transaction, until it is answered."""
        numbers = range(self._next, self._next + count)
        self._next += count
        keys = [f"k{number:07}" for number in numbers]
        requests = [
            JobRequest(
                task=TASK,
                input=f"{key} {self._verb(number)}",
                webhook=WEBHOOK,
                idempotency_key=key,
            )
            for key, number in zip(keys, numbers, strict=True)
        ]
        log = self._rig.log
        log.note(Kind.INVOKE, keys)
        end = time.monotonic() + 120.0
        while True:
            try:
                answers = list(self._rig.producer.submit_many(requests))
                break
            except (StoreUnavailable, DBAPIError):
                log.note(Kind.UNKNOWN, keys)
                assert time.monotonic() < end, "the store never came back"
                time.sleep(0.1)
        log.note(Kind.OK, keys, [one.id for one in answers])
        self.keys |= dict(zip(keys, numbers, strict=True))
