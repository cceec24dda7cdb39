"""Telling whoever waits what a request has ended, without the request waiting for Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from lepton_tasks.broker.wakeups import Announcer
from lepton_tasks.managed import Closing

MOST_IDS: Final = 10_000
"""Ids that wait to be announced; beyond that whoever waits finds out from the store."""
_CLOSE_SECONDS: Final = 2.0


class Announcements(Closing):
    """Announces on a thread of its own; what is said meanwhile goes out together."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer
        self._ids: set[str] = set()
        self._any = False
        self._closed = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="announcements", daemon=True)
        self._thread.start()

    def say(self, job_ids: Iterable[str] = ()) -> None:
        """These jobs have ended, and there may be deliveries. Returns at once."""
        with self._news:
            if len(self._ids) < MOST_IDS:
                self._ids.update(job_ids)
            self._any = True
            self._news.notify()

    def close(self) -> None:
        """Say what was not said yet, where Redis takes it soon."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._any or self._closed)
                if not self._any:
                    return
                ids, self._ids, self._any = self._ids, set(), False
            self._announcer.announce(ids)
