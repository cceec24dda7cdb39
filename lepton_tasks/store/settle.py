"""What follows from a job's end, in the same transaction: batch counts, webhook deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from lepton_tasks.states import BatchState, JobState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.canvases import end_canvases
from lepton_tasks.store.database import now
from lepton_tasks.store.delivery_lanes import lane_of
from lepton_tasks.store.events import Happened, owed_deliveries, subscribed
from lepton_tasks.store.tables import DeliveryRow, JobRow
from lepton_tasks.store.turns import end_turns
from lepton_tasks.webhooks.events import PROGRESS, batch_data, job_data

jobs = JobRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

_JOB_COLUMNS: Final = (
    "id",
    "tenant",
    "task",
    "state",
    "items",
    "batch_id",
    "conversation_id",
    "canvas",
    "webhook",
    "metadata",
    "result",
    "error",
    "created_at",
    "finished_at",
)
_BATCH_COLUMNS: Final = (
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
    "endpoint",
    "input_file_id",
    "output_file_id",
    "error_file_id",
    "errors",
    "total_lines",
    "completed_lines",
    "failed_lines",
)
SETTLED_COLUMNS: Final = [*(jobs.c[name] for name in _JOB_COLUMNS), subscribed(jobs)]
"""What an UPDATE that ends jobs must return for :func:`settle`."""
BATCH_COLUMNS: Final = [*(batches.c[name] for name in _BATCH_COLUMNS), subscribed(batches)]
"""What an UPDATE of batches must return for :func:`tell_of_batch`."""
_TENTHS: Final = 10


def settle(
    connection: Connection, ended: Sequence[Row[Any]], failed_items: dict[str, int] | None = None
) -> bool:
    """Count ended jobs into their batches, answer their turns, create what they owe.

    That is deliveries, and the calls of their canvases.

    ``failed_items`` gives, by job id, the inputs that failed inside a succeeded
    job; a job that did not succeed counts all its inputs as failed. Endpoints hear of a
    batch as a whole, and of jobs that are not part of one.

    Returns:
        Whether calls may be owed now.
    """
    end_turns(connection, ended)
    done: defaultdict[str, int] = defaultdict(int)
    failed: defaultdict[str, int] = defaultdict(int)
    happened = []
    followed = []
    for row in ended:
        if row.canvas:
            followed.append(row)
        if row.batch_id is not None:
            done[row.batch_id] += row.items
            succeeded = row.state == JobState.SUCCEEDED
            failed[row.batch_id] += (failed_items or {}).get(row.id, 0) if succeeded else row.items
        asked = row.subscribed and row.batch_id is None
        if asked or row.webhook is not None:
            happened.append(
                Happened(
                    f"job.{row.state}",
                    row.tenant,
                    row.finished_at,
                    row,
                    job_data,
                    row.webhook,
                    asked,
                )
            )
    for batch_id in sorted(done):  # one order for all workers, so that they cannot deadlock
        counted = connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(
                done_items=batches.c.done_items + done[batch_id],
                failed_items=batches.c.failed_items + failed[batch_id],
            )
            .returning(*BATCH_COLUMNS, now().label("at"))
        ).all()
        happened.extend(
            Happened(PROGRESS, row.tenant, row.at, row, batch_data, None, True)
            for row in counted
            if row.subscribed
            and row.state == BatchState.IN_PROGRESS
            and _passed_a_tenth(row.done_items - done[batch_id], row.done_items, row.total_items)
        )
    if done:
        happened.extend(_complete(connection, sorted(done)))
    if happened:
        deliver(connection, owed_deliveries(connection, happened))
    if followed:
        end_canvases(connection, followed)
    return bool(followed)


def complete_batches(connection: Connection, batch_ids: Sequence[str]) -> None:
    """Close those of ``batch_ids`` that are sealed and have no open line left."""
    deliver(connection, owed_deliveries(connection, _complete(connection, batch_ids)))


def tell_of_batch(connection: Connection, batch: Row[Any]) -> None:
    """Create the deliveries that a batch owes whose state has changed."""
    deliver(connection, owed_deliveries(connection, [_ended(batch)]))


def tell_of_progress(connection: Connection, batch: Row[Any], before: int) -> None:
    """Create what is owed where the lines of an uploaded file have passed a tenth.

    ``batch`` has :data:`BATCH_COLUMNS` and the time, ``at``; ``before`` is how many of its
    lines were done until now.
    """
    done = batch.completed_lines + batch.failed_lines
    if (
        batch.subscribed
        and batch.state == BatchState.IN_PROGRESS
        and _passed_a_tenth(before, done, batch.total_lines)
    ):
        passed = Happened(PROGRESS, batch.tenant, batch.at, batch, batch_data, None, True)
        deliver(connection, owed_deliveries(connection, [passed]))


def deliver(connection: Connection, owed: Sequence[dict[str, Any]]) -> None:
    """Insert deliveries, due at once."""
    if owed:
        clock = connection.execute(select(now())).scalar_one()
        rows = [
            {
                **row,
                "lane": lane_of(row.get("endpoint_id"), row["url"]),
                "next_at": clock,
                "created_at": clock,
            }
            for row in owed
        ]
        connection.execute(deliveries.insert(), rows)


def _complete(connection: Connection, batch_ids: Sequence[str]) -> list[Happened]:
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
    return [_ended(row) for row in closed]


def _ended(row: Row[Any]) -> Happened:
    event_type = f"batch.{row.state}"
    return Happened(
        event_type, row.tenant, row.finished_at, row, batch_data, row.webhook, row.subscribed
    )


def _passed_a_tenth(before: int, after: int, total: int) -> bool:
    """Whether another tenth is full, and it is not the last; never where the total is unknown.

    >>> [_passed_a_tenth(done, done + 4, 20) for done in (0, 4, 16)], _passed_a_tenth(0, 4, 0)
    ([True, True, False], False)
    """
    return total > 0 and _TENTHS * before // total < _TENTHS * after // total < _TENTHS
