"""Models that come while the work goes on: who waits for one, and the thread that brings them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Engine
from workers.refusal import Refused
from workers.vital import vital_thread

REFUSAL_SECONDS: Final = 30.0
"""How long a model that could not be loaded is not tried again."""
RETRYABLE_REFUSAL_SECONDS: Final = 5.0
"""The same where the reason may pass: less than the wait of a job that is run again."""
_CLOSE_SECONDS = 5.0

W = TypeVar("W")
Answer = Callable[[Engine | Refused], None]


class Loading:
    """A model on its way; whoever needs it leaves word."""

    def __init__(self) -> None:
        self._answer: Engine | Refused | None = None
        self._waiting: list[Answer] = []
        self._lock = threading.Lock()

    def then(self, answer: Answer) -> None:
        """Call ``answer`` once with the engine or the refusal.

        On the loading thread, or here and now where it is known already.
        """
        with self._lock:
            if self._answer is None:
                self._waiting.append(answer)
                return
        answer(self._answer)

    def settle(self, found: Engine | Refused) -> None:
        """Answer all who wait, and whoever asks later."""
        with self._lock:
            self._answer = found
            waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer(found)


@dataclass(frozen=True, slots=True)
class Wish:
    """A model to load, and who is told."""

    entry: CatalogueEntry
    loading: Loading


class LoadingThread(Generic[W]):
    """Brings models one after the other, on a thread that starts with the first wish.

    An error that ``bring`` lets through ends the process.
    """

    def __init__(self, bring: Callable[[W], None]) -> None:
        self._bring = bring
        self._wishes: queue.SimpleQueue[W | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether nothing is loaded any more; ``bring`` may then give up."""
        return self._closed.is_set()

    def add(self, wish: W) -> None:
        """Bring that model when those before it are there. From one caller at a time."""
        self._wishes.put(wish)
        if self._thread is None:
            self._thread = vital_thread(self._run, "models")
            self._thread.start()

    def close(self) -> None:
        """Bring nothing more; a model that does not come within seconds is left."""
        self._closed.set()
        self._wishes.put(None)
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (wish := self._wishes.get()) is not None and not self.closed:
            self._bring(wish)
            del wish  # or this thread would keep the model in memory


class Refusals:
    """Why models could not be loaded, for as long as they are not tried again.

    One caller at a time; ``clock`` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, tuple[float, Refused]] = {}

    def add(self, model: str, refused: Refused) -> None:
        """That model could not be loaded just now."""
        self._since[model] = (self._clock(), refused)

    def forget(self, model: str) -> None:
        """That model may be tried: it is another by now."""
        self._since.pop(model, None)

    def get(self, model: str) -> Refused | None:
        """The refusal that still stands; None where the model may be tried."""
        if model not in self._since:
            return None
        since, refused = self._since[model]
        lasts = RETRYABLE_REFUSAL_SECONDS if refused.retryable else REFUSAL_SECONDS
        return refused if self._clock() - since < lasts else None
