"""The worker's lease, renewed on the database's clock, and the periodic work beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.store.store import Store
from workers.text_free import describe

logger = logging.getLogger(__name__)

_RECONCILE_SECONDS = 0.5


class Heartbeat:
    """Keeps one lease; says whether it is fresh enough to begin new work."""

    def __init__(
        self,
        store: Store,
        worker_id: str,
        hostname: str,
        tasks: Sequence[str],
        seconds: float,
        supersedes: bool = False,
        may_renew: Callable[[], bool] = lambda: True,
        lost: Callable[[], None] = lambda: None,
        renewed: Callable[[], None] = lambda: None,
    ) -> None:
        """``supersedes`` says that any other process of this node name is known to be dead.

        The lease is left to end while ``may_renew`` says no. ``lost`` is called after a
        new one was taken in its place, before any new work; jobs that others took back
        meanwhile can be told by then. ``renewed`` is called each time it was renewed.
        """
        self._may_renew = may_renew
        self._lost = lost
        self._renewed = renewed
        self._was_lost = False
        self._withheld = False
        self._store = store
        self._worker_id = worker_id
        self._hostname = hostname
        self._tasks = tasks
        self._seconds = seconds
        self._supersedes = supersedes
        self._renewed_at = 0.0
        self._every = Every(seconds / 3, self._renew, "lease")

    def start(self) -> None:
        """Take the lease and keep it.

        Raises:
            StoreUnavailable: the database is away.
        """
        if self._supersedes:
            self._store.leases.end_host(self._hostname)
        moment = _clock()
        self._store.leases.register(self._worker_id, self._hostname, self._tasks, self._seconds)
        self._renewed_at = moment
        self._every.start()

    def is_fresh(self) -> bool:
        """False once two thirds of the lease have passed without a renewal."""
        return _clock() - self._renewed_at < self._seconds * 2 / 3

    def stop(self) -> None:
        """End the lease: whatever this worker still held is free."""
        self._every.stop()
        try:
            self._store.leases.end(self._worker_id)
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("the lease ends by itself: %s", error)

    def _renew(self) -> None:
        if not self._may_renew():
            if not self._withheld:
                logger.error("a micro-batch has hung; the lease is left to end")
            self._withheld = True
            return
        self._withheld = False
        moment = _clock()  # taken before, so that the lease is never overrated
        if not self._store.leases.renew(self._worker_id, self._seconds):
            logger.warning("the lease was lost; what was running is written by its new owner")
            self._was_lost = True
            self._store.leases.register(self._worker_id, self._hostname, self._tasks, self._seconds)
        if self._was_lost:  # also where an error came between, so that it is never skipped
            self._lost()
            self._was_lost = False
        self._renewed_at = moment
        self._renewed()


def _clock() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Every:
    """Calls a function again and again from a thread; an error is logged and waited out."""

    def __init__(self, seconds: float, work: Callable[[], None], name: str) -> None:
        self._seconds = seconds
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes at once."""
        self._thread.start()

    def stop(self) -> None:
        """Let a running call end and make no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._work()
            except (StoreUnavailable, DBAPIError) as error:
                logger.warning("%s: %s", threading.current_thread().name, error)
            except Exception as error:  # noqa: BLE001 - the next round may do better
                logger.error("%s: %s", threading.current_thread().name, describe(error))
            self._stopping.wait(self._seconds)


def reconciling(reconciler: Reconciler) -> Every:
    """Run the reconciler periodically."""
    return Every(_RECONCILE_SECONDS, reconciler.run_once, "reconciler")
