"""What follows from a job's end, in the same transaction: batch counts, webhook deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from lepton_tasks.ids import new_id
from lepton_tasks.states import BatchState, DeliveryState, JobState
from lepton_tasks.store.database import now
from lepton_tasks.store.tables import BatchRow, DeliveryRow, JobRow
from lepton_tasks.webhooks.events import batch_event, job_event

jobs = JobRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

SETTLED_COLUMNS = [
    jobs.c[name]
    for name in [
        "id",
        "tenant",
        "task",
        "state",
        "items",
        "batch_id",
        "webhook",
        "metadata",
        "result",
        "error",
        "created_at",
        "finished_at",
    ]
]
"""What an UPDATE that ends jobs must return for :func:`settle`."""

BATCH_COLUMNS = [
    batches.c[name]
    for name in [
        "id",
        "tenant",
        "task",
        "state",
        "total_items",
        "done_items",
        "failed_items",
        "webhook",
        "metadata",
        "created_at",
        "finished_at",
    ]
]


def settle(
    connection: Connection, ended: Sequence[Row[Any]], failed_items: dict[str, int] | None = None
) -> None:
    """Count ended jobs into their batches and create the deliveries they owe.

    ``failed_items`` gives, by job id, the inputs that failed inside a succeeded
    job; a job that did not succeed counts all its inputs as failed.
    """
    done: defaultdict[str, int] = defaultdict(int)
    failed: defaultdict[str, int] = defaultdict(int)
    owed = []
    for row in ended:
        if row.batch_id is not None:
            done[row.batch_id] += row.items
            succeeded = row.state == JobState.SUCCEEDED
            failed[row.batch_id] += (failed_items or {}).get(row.id, 0) if succeeded else row.items
        if row.webhook is not None:
            owed.append(_delivery(row, f"job.{row.state}", job_event))
    for batch_id in sorted(done):  # one order for all workers, so that they cannot deadlock
        connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(
                done_items=batches.c.done_items + done[batch_id],
                failed_items=batches.c.failed_items + failed[batch_id],
            )
        )
    if done:
        owed.extend(_complete(connection, sorted(done)))
    deliver(connection, owed)


def complete_batches(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Close those of ``batch_ids`` that are sealed and have no open line left."""
    deliver(connection, _complete(connection, batch_ids))


def deliver(connection: Connection, owed: Sequence[dict[str, Any]]) -> None:
    """Insert deliveries, due at once."""
    if owed:
        clock = connection.execute(select(now())).scalar_one()
        connection.execute(
            deliveries.insert(), [{**row, "next_at": clock, "created_at": clock} for row in owed]
        )


def _complete(connection: Connection, batch_ids: Sequence[str]) -> list[dict[str, Any]]:
    closed = connection.execute(
        update(batches)
        .where(
            batches.c.id.in_(batch_ids),
            batches.c.sealed,
            batches.c.state == BatchState.IN_PROGRESS,
            batches.c.done_items >= batches.c.total_items,
        )
        .values(state=BatchState.COMPLETED, finished_at=now())
        .returning(*BATCH_COLUMNS)
    ).all()
    return [
        _delivery(row, f"batch.{row.state}", batch_event)
        for row in closed
        if row.webhook is not None
    ]


def _delivery(row: Row[Any], event_type: str, make_body: Any) -> dict[str, Any]:
    event_id = new_id("evt")
    return {
        "id": event_id,
        "event_id": event_id,
        "tenant": row.tenant,
        "url": row.webhook,
        "event_type": event_type,
        "body": make_body(event_id, event_type, row._mapping),
        "state": DeliveryState.PENDING,
        "attempt": 0,
        "fence": 0,
    }
