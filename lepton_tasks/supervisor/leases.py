"""What the supervisor asks of the store: which of its workers consume, and who is dead."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.store import Store
from lepton_tasks.supervisor.progress import LastWords

logger = logging.getLogger(__name__)

_ASK_SECONDS = 0.25


class NodeLeases:
    """The leases of the worker nodes of one machine; a database that is away is waited for."""

    def __init__(self, store: Store) -> None:
        """``store`` stays its owner's to close."""
        self._store = store
        self._alive: frozenset[str] = frozenset()
        self._asked_at = float("-inf")
        self._to_end: list[LastWords] = []

    def held(self, node: str) -> bool:
        """Whether a worker of that node name holds its lease: it is warm and consumes."""
        now = time.monotonic()
        if now - self._asked_at >= _ASK_SECONDS:
            self._asked_at = now
            try:
                self._end_all()
                self._alive = frozenset(one.hostname for one in self._store.leases.alive())
            except (StoreUnavailable, DBAPIError) as error:
                logger.warning("cannot ask who holds a lease: %s", error)
                self._alive = frozenset()
        return node in self._alive

    def keep(self, worker_id: str, seconds: float) -> None:
        """Renew the lease of a worker that is at work and cannot do so itself."""
        try:
            if not self._store.leases.renew(worker_id, seconds):
                logger.warning("the lease of %s had ended before it was renewed", worker_id)
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("the lease of %s could not be renewed: %s", worker_id, error)

    def end(self, node: str, last: LastWords | None) -> None:
        """End the lease of a dead worker, so that its jobs are free before it would run out.

        ``last`` is what it left, None where it had not begun. What cannot be written now
        is written before anybody is asked after again.
        """
        self._alive -= {node}
        if last is None:
            return
        self._to_end.append(last)
        try:
            self._end_all()
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("%s is dead; its lease could not be ended: %s", node, error)

    def acquit(self, job_ids: Collection[str]) -> None:
        """Forget the crashes of suspects that were put down to an unhealthy worker's jobs."""
        try:
            self._end_all()
            self._store.recovery.recover()  # first, so that no crash is counted afterwards
            self._store.suspects.acquit(job_ids)
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("crashes of %d jobs could not be forgotten: %s", len(job_ids), error)

    def _end_all(self) -> None:
        while self._to_end:
            self._store.leases.end(self._to_end[0].worker_id, self._to_end[0].in_work)
            self._to_end.pop(0)
