"""Jobs straight from SQL, without a message: suspects, which run alone, one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from lepton_tasks.outage import Outage
from lepton_tasks.store.store import Store
from workers.held import HeldJobs
from workers.holder import Holder
from workers.reporter import Reporter
from workers.vital import vital_thread
from workers.window import Window

_POLL_SECONDS: Final = 1.0
_PROBATION_SECONDS: Final = 5.0
"""For so long a busy worker leaves suspects alone that took another down already, so that
other jobs get on although worker after worker dies of a few."""


class DirectIntake:
    """A thread that claims what has no message.

    The next suspect is taken when the one before it has ended, so that the death of this
    process says which of them was to blame.
    """

    def __init__(
        self,
        worker_id: str,
        tasks: Sequence[str],
        store: Store,
        window: Window,
        holder: Holder,
        held: HeldJobs,
        reporter: Reporter,
        may_claim: Callable[[], bool] = lambda: True,
    ) -> None:
        """``may_claim`` says whether the lease is fresh: without it what is claimed is lost."""
        self._may_claim = may_claim
        self._worker_id = worker_id
        self._tasks = tasks
        self._store = store
        self._window = window
        self._holder = holder
        self._held = held
        self._reporter = reporter
        self._suspect = ""
        self._began = 0.0
        self._closed = False
        self._thread = vital_thread(self._run, "direct intake")

    def start(self) -> None:
        """Begin to look for suspects."""
        self._began = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """Claim nothing more."""
        self._closed = True
        self._held.suspect_gone.set()
        self._thread.join()

    def _run(self) -> None:
        outage = Outage("direct intake")
        while not self._closed:
            if self._held.suspect_gone.wait(outage.attempt(self._look)):
                self._held.suspect_gone.clear()

    def _look(self) -> float:
        self._take_suspect()
        return _POLL_SECONDS

    def _take_suspect(self) -> None:
        if self._held.holds(self._suspect) or not self._may_claim():
            return
        young = time.monotonic() - self._began < _PROBATION_SECONDS
        most_crashes = 0 if young and not self._window.is_empty() else None
        claims = self._store.suspects.claim(self._worker_id, self._tasks, 1, most_crashes)
        for claim in claims:
            self._suspect = claim.id
            self._holder.hold([(claim, self._reporter.without_message(claim.id, claim.task))])
