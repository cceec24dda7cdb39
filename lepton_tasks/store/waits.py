"""How long the jobs before a new one have waited: what it will wait itself, if things stay so.

The statements read the heads of the partial indexes of queued jobs. Published jobs are few,
as many as a window of Redis holds.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, text

from lepton_tasks.queues import Priority
from lepton_tasks.store.database import Database, now

_AHEAD: Final = text("""
SELECT (
  SELECT min(published_at) FROM jobs WHERE state = 'queued' AND published_at IS NOT NULL
    AND task = :task AND priority = :priority
) AS published, (
  SELECT run_after FROM jobs WHERE state = 'queued' AND published_at IS NULL
    AND task = :task AND priority = :priority AND tenant = :tenant
  ORDER BY run_after, id LIMIT 1
) AS unpublished
""")


class WaitStore:
    """Reads how far behind a queue is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ahead(self, tenant: str, task: str, priority: Priority) -> float:
        """Seconds for which the oldest job has waited that is before a new one of ``tenant``.

        That is a published one of anybody, or one of the tenant's own backlog; a backlog of
        others' is none, for tenants take turns. 0 where there is none.
        """
        line = {"task": task, "priority": str(priority), "tenant": tenant}
        with self._database.read() as connection:
            heads = [head for head in connection.execute(_AHEAD, line).one() if head is not None]
            if not heads:
                return 0.0
            clock: float = connection.execute(select(now())).scalar_one()
        return max(0.0, clock - float(min(heads)))
