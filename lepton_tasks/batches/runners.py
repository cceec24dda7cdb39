"""The threads of an io worker that run batches of uploaded files, some at a time.

One thread claims, one renews the leases, and each batch has one of its own, so that no long
step costs a lease. Tenants take turns: where all places are taken and a tenant waits that has
none, one that has several gives its latest back; what was done of it is kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lepton_tasks.batches.run import Bench, FileBusy, UploadedRun
from lepton_tasks.batches.watch import Interrupted, Watch
from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.errors import LeaseLost, StorageUnavailable
from lepton_tasks.outage import OUTAGES, Outage
from lepton_tasks.store.batch_runs import BatchClaim

logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 5.0
"""Wait of a batch for room on the disk."""
_BUSY_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 60.0
"""When a batch whose run failed for a reason of its own is tried again."""


@dataclass(frozen=True, slots=True)
class _Place:
    claim: BatchClaim
    watch: Watch
    thread: threading.Thread


class Runners:
    """Runs up to ``most`` batches at a time, from :meth:`start` to :meth:`close`."""

    def __init__(
        self,
        bench: Bench,
        holder: str,
        most: int,
        lease_seconds: float,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        """``holder`` names this process in the leases."""
        self._bench = bench
        self._store = bench.producer.store
        self._holder = holder
        self._most = most
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._places: dict[str, _Place] = {}
        self._lock = threading.Lock()
        self._on_end: Callable[[], object] = lambda: None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._claim, name="batches", daemon=True),
            threading.Thread(target=self._renew, name="batch-leases", daemon=True),
        ]

    def start(self, on_end: Callable[[], object] = lambda: None) -> None:
        """Begin to claim batches; ``on_end`` is called, from any thread, when one has ended."""
        self._on_end = on_end
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask all runs to end; batches go back to be claimed by others."""
        self._stop.set()
        self._wake.set()
        for place in self._all():
            place.watch.interrupt()

    def close(self, seconds: float) -> None:
        """:meth:`stop`, and wait for it, at most so long; what is left then is taken over."""
        self.stop()
        end = time.monotonic() + seconds
        for thread in [*self._threads, *(place.thread for place in self._all())]:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))

    def _all(self) -> list[_Place]:
        with self._lock:
            return list(self._places.values())

    def _claim(self) -> None:
        outage = Outage("batches")
        while not self._stop.is_set():
            seconds = outage.attempt(self._fill)
            self._wake.wait(seconds)
            self._wake.clear()

    def _fill(self) -> float:
        """Take batches while there are places; returns the seconds until the next look."""
        while not self._stop.is_set() and self._store.batch_runs.waiting():
            if len(self._all()) >= self._most:
                self._make_room()
                break
            claim = self._store.batch_runs.claim(self._holder, self._lease_seconds)
            if claim is None:
                break
            self._begin(claim)
        return self._poll_seconds

    def _begin(self, claim: BatchClaim) -> None:
        watch = Watch(claim)
        thread = threading.Thread(
            target=self._run, args=(claim, watch), name=f"batch-{claim.id}", daemon=True
        )
        with self._lock:
            self._places[claim.id] = _Place(claim, watch, thread)
        if self._stop.is_set():
            watch.interrupt()
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("batch %s waits: %s", claim.id, error)
            self._leave(claim, _PAUSE_SECONDS)

    def _make_room(self) -> None:
        """Have a tenant with several places give one to a tenant that waits and has none."""
        places = self._all()
        if any(place.watch.stop.is_set() for place in places):
            return
        counts = Counter(place.claim.tenant for place in places)
        tenant, count = counts.most_common(1)[0]
        if count > 1 and self._store.batch_runs.starving():
            latest = [place for place in places if place.claim.tenant == tenant][-1]
            latest.watch.interrupt()

    def _run(self, claim: BatchClaim, watch: Watch) -> None:
        again_after = 0.0
        try:
            again_after = self._run_through(claim, watch)
        except LeaseLost:
            logger.warning("batch %s is run by another now", claim.id)
            return
        except Interrupted:
            logger.info("batch %s is given back", claim.id)
        except Exception as error:  # noqa: BLE001 - other batches go on
            # Without the traceback, which may quote a line.
            place = error.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = place.tb_frame.f_code.co_qualname if place is not None else "?"
            logger.error("batch %s failed: %s in %s", claim.id, type(error).__name__, where)
            again_after = _AGAIN_SECONDS
        finally:
            self._leave(claim, again_after)

    def _run_through(self, claim: BatchClaim, watch: Watch) -> float:
        """Run a batch to its end, through outages and full disks."""
        run = UploadedRun(self._bench, claim, watch)
        outage = Outage(f"batch {claim.id}")
        paused = False
        while True:
            watch.check()
            try:
                ended = run.run()
            except FileBusy:
                return _BUSY_SECONDS
            except (RunStopped, StorageUnavailable) as error:
                if not paused:
                    logger.error("batch %s waits: %s", claim.id, error)
                paused = True
                watch.stop.wait(_PAUSE_SECONDS)
            except OUTAGES as error:
                watch.stop.wait(outage.failed(error))
            else:
                outage.over()
                logger.info("batch %s is %s", claim.id, ended)
                self._on_end()
                return 0.0

    def _leave(self, claim: BatchClaim, again_after: float) -> None:
        """Give up the place and, if it is still ours, the batch."""
        try:
            self._store.batch_runs.release(claim, again_after)
        except OUTAGES:
            logger.warning("batch %s could not be given back; its lease runs out", claim.id)
        with self._lock:
            del self._places[claim.id]
        self._wake.set()

    def _renew(self) -> None:
        outage = Outage("batch leases")
        while not self._stop.wait(outage.attempt(self._renew_all)):
            pass

    def _renew_all(self) -> float:
        for place in self._all():
            try:
                state = self._store.batch_runs.renew(place.claim, self._lease_seconds)
            except LeaseLost:
                # It may just have ended: then nobody asks any more.
                place.watch.lose()
            else:
                place.watch.saw(state)
        return min(self._lease_seconds / 3, _POLL_SECONDS)
