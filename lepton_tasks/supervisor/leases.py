"""What the supervisor asks of the store: which of its workers consume, and who is dead."""

from __future__ import annotations

import logging
import time

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

_ASK_SECONDS = 0.25


class NodeLeases:
    """The leases of the worker nodes of one machine; a database that is away is waited for."""

    def __init__(self, store: Store) -> None:
        """``store`` stays its owner's to close."""
        self._store = store
        self._alive: frozenset[str] = frozenset()
        self._asked_at = float("-inf")

    def held(self, node: str) -> bool:
        """Whether a worker of that node name holds its lease: it is warm and consumes."""
        now = time.monotonic()
        if now - self._asked_at >= _ASK_SECONDS:
            self._asked_at = now
            try:
                self._alive = frozenset(one.hostname for one in self._store.leases.alive())
            except (StoreUnavailable, DBAPIError) as error:
                logger.warning("cannot ask who holds a lease: %s", error)
                self._alive = frozenset()
        return node in self._alive

    def end(self, node: str) -> None:
        """End the lease of a dead worker, so that its jobs are free before it would run out."""
        self._alive -= {node}
        try:
            self._store.leases.end_host(node)
        except (StoreUnavailable, DBAPIError) as error:
            logger.warning("%s is dead; its lease will run out by itself: %s", node, error)
