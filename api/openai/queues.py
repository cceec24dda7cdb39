"""The store's side of :mod:`api.openai.outlook`."""

from __future__ import annotations

from lepton_tasks.queues import Priority
from lepton_tasks.store.store import Store


class StoreQueues:
    """Asks the store; each call is a short read."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def served(self) -> set[str]:
        """Tasks that a live worker serves."""
        return {task for worker in self._store.leases.alive() for task in worker.tasks}

    def ahead(self, tenant: str, task: str, priority: Priority) -> float:
        """Seconds for which the oldest job before a new one has waited."""
        return self._store.waits.ahead(tenant, task, priority)
