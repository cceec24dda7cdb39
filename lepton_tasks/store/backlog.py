"""Queued jobs that wait in SQL for room in Redis, found by queue and by tenant.

Each statement walks an index and stops: its cost depends on the tenants or the jobs it
returns or counts, never on how long the backlog is beyond them. The text is ours, because
the planners need to see it: they match the partial indexes to the literal ``state``, and
PostgreSQL takes another index, or none, unless the ORDER BY names this one's columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from lepton_tasks.queues import Priority
from lepton_tasks.round_robin import Waiting

_QUEUES: Final = text("""
WITH RECURSIVE known(task) AS (
  SELECT (SELECT task FROM jobs WHERE state = 'queued' AND published_at IS NULL
          ORDER BY task, priority, tenant, run_after LIMIT 1)
  UNION ALL
  SELECT (SELECT task FROM jobs WHERE state = 'queued' AND published_at IS NULL
          AND task > known.task
          ORDER BY task, priority, tenant, run_after LIMIT 1)
  FROM known WHERE known.task IS NOT NULL
)
SELECT known.task, level.priority
FROM known CROSS JOIN (
  SELECT 'high' AS priority UNION ALL SELECT 'normal' UNION ALL SELECT 'bulk'
) AS level
WHERE (SELECT tenant FROM jobs WHERE state = 'queued' AND published_at IS NULL
       AND task = known.task AND jobs.priority = level.priority
       ORDER BY tenant, run_after, id LIMIT 1) IS NOT NULL
""")
_TENANTS: Final = text("""
WITH RECURSIVE ring(tenant) AS (
  SELECT (SELECT tenant FROM jobs WHERE state = 'queued' AND published_at IS NULL
          AND task = :task AND priority = :priority AND tenant > :after
          ORDER BY tenant, run_after, id LIMIT 1)
  UNION ALL
  SELECT (SELECT tenant FROM jobs WHERE state = 'queued' AND published_at IS NULL
          AND task = :task AND priority = :priority AND tenant > ring.tenant
          ORDER BY tenant, run_after, id LIMIT 1)
  FROM ring WHERE ring.tenant IS NOT NULL
)
SELECT ring.tenant FROM ring
WHERE (SELECT run_after FROM jobs WHERE state = 'queued' AND published_at IS NULL
       AND task = :task AND priority = :priority AND jobs.tenant = ring.tenant
       ORDER BY run_after, id LIMIT 1) <= :clock
LIMIT :most
""")
_JOBS: Final = text("""
SELECT id, cost, run_after FROM jobs WHERE state = 'queued' AND published_at IS NULL
  AND task = :task AND priority = :priority AND tenant = :tenant
  AND run_after <= :clock AND (run_after, id) > (:run_after, :id)
ORDER BY run_after, id LIMIT :most
""")
_FIRST: Final = text("""
SELECT run_after FROM jobs WHERE state = 'queued' AND published_at IS NULL
  AND task = :task AND priority = :priority AND tenant = :tenant
ORDER BY run_after, id LIMIT 1
""")
_COUNT: Final = text("""
SELECT count(*) FROM (
  SELECT 1 FROM jobs WHERE state = 'queued' AND published_at IS NOT NULL
    AND task = :task AND priority = :priority AND tenant = :tenant
  ORDER BY published_at LIMIT :most
) AS few
""")
_COUNT_BOTH: Final = text("""
SELECT (
  SELECT count(*) FROM (
    SELECT 1 FROM jobs WHERE state = 'queued' AND published_at IS NOT NULL
      AND task = :task AND priority = :priority AND tenant = :tenant
    ORDER BY published_at LIMIT :most
  ) AS published
) + (
  SELECT count(*) FROM (
    SELECT 1 FROM jobs WHERE state = 'queued' AND published_at IS NULL
      AND task = :task AND priority = :priority AND tenant = :tenant
    ORDER BY run_after, id LIMIT :most
  ) AS unpublished
)
""")


def backlog_queues(connection: Connection) -> list[tuple[str, Priority]]:
    """Queues, as (task, priority), with unpublished jobs, due or not; urgent queues first."""
    rows = connection.execute(_QUEUES).all()
    queues = [(row.task, Priority(row.priority)) for row in rows]
    return sorted(queues, key=lambda queue: queue[1].rank)


def has_backlog(
    connection: Connection, task: str, priority: Priority, tenant: str, clock: float
) -> bool:
    """Whether a tenant has due jobs in a queue that nobody has published."""
    of_tenant = {"task": task, "priority": str(priority), "tenant": tenant}
    first = connection.execute(_FIRST, of_tenant).scalar()
    return first is not None and first <= clock


def count_published(
    connection: Connection, task: str, priority: Priority, tenant: str, most: int
) -> int:
    """Jobs of a tenant in a queue that are published and not claimed, counted up to ``most``."""
    of_tenant = {"task": task, "priority": str(priority), "tenant": tenant}
    count: int = connection.execute(_COUNT, of_tenant | {"most": most}).scalar_one()
    return count


def count_queued(
    connection: Connection, task: str, priority: Priority, tenant: str, most: int
) -> int:
    """Jobs of a tenant in a queue that are queued, published or not, due or not, up to ``most``.

    The one count here that takes longer the more there are, up to ``most``.
    """
    of_tenant = {"task": task, "priority": str(priority), "tenant": tenant}
    count: int = connection.execute(_COUNT_BOTH, of_tenant | {"most": most}).scalar_one()
    return min(count, most)


class Backlog:
    """Due jobs of one queue that nobody has published, as of one moment."""

    def __init__(self, connection: Connection, task: str, priority: Priority, clock: float) -> None:
        self._connection = connection
        self._of_queue = {"task": task, "priority": str(priority), "clock": clock}

    def tenants(self, place: str, inclusive: bool, most: int) -> list[str]:
        """Up to ``most`` tenants with due jobs, in a ring that begins at ``place``, or after it."""
        after = self._tenants(place, most)
        if inclusive and next(self.jobs(place, 1), None) is not None:
            after.insert(0, place)
        before = self._tenants("", most) if len(after) < most else []
        return list(dict.fromkeys([*after, *before]))[:most]

    def _tenants(self, after: str, most: int) -> list[str]:
        parameters = self._of_queue | {"after": after, "most": most}
        return [row.tenant for row in self._connection.execute(_TENANTS, parameters)]

    def jobs(self, tenant: str, page: int) -> Iterator[Waiting]:
        """A tenant's due jobs, oldest first, read ``page`` by ``page``."""
        last = {"run_after": 0.0, "id": ""}
        parameters = self._of_queue | {"tenant": tenant, "most": page}
        while True:
            rows = self._connection.execute(_JOBS, parameters | last).all()
            yield from (Waiting(row.id, row.cost) for row in rows)
            if len(rows) < page:
                return
            last = {"run_after": rows[-1].run_after, "id": rows[-1].id}
