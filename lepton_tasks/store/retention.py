"""Deleting what has ended: by age, in bounded pages, and at once where its tenant asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from lepton_tasks.errors import Conflict
from lepton_tasks.states import BATCH_TERMINAL, TERMINAL, WAITING, DeliveryState, JobState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.settle import SETTLED_COLUMNS, settle
from lepton_tasks.store.tables import AttemptRow, DeliveryRow, JobRow, TombstoneRow
from lepton_tasks.store.tombstones import bury, missing

jobs = JobRow.__table__  # type: ignore[attr-defined]
batches = BatchRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]
attempts = AttemptRow.__table__  # type: ignore[attr-defined]
tombstones = TombstoneRow.__table__  # type: ignore[attr-defined]

PAGE: Final = 200
"""Most rows that one transaction deletes."""
_BATCHES_AT_ONCE: Final = 20
_ENDED: Final = jobs.c.state.in_(TERMINAL)
_CLOSED: Final = deliveries.c.state.not_in([DeliveryState.PENDING, DeliveryState.SENDING])


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows a sweep deleted; ``more`` tells that a page was full."""

    jobs: int = 0
    batches: int = 0
    deliveries: int = 0
    tombstones: int = 0
    more: bool = False


class RetentionStore:
    """Deletes jobs, batches and deliveries that have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, keep_seconds: float, tombstone_seconds: float) -> Swept:
        """Delete a page of what ended over ``keep_seconds`` ago, of each tenant and kind.

        A shard goes with its batch, and a batch that has not ended keeps all of its shards. A
        delivery that is still to be sent stays; its body is its own, so its job may go.
        Other jobs leave a tombstone, which is deleted ``tombstone_seconds`` later.
        """
        gone, full = 0, False
        for tenant in self._tenants():
            count = self._database.transact(partial(_old_jobs, tenant, keep_seconds))
            gone += count
            full = full or count == PAGE
        whole, shards, unfinished = self._old_batches(keep_seconds)
        sent = self._database.transact(partial(_old_deliveries, keep_seconds))
        forgotten = self._database.transact(partial(_old_tombstones, tombstone_seconds))
        more = full or unfinished or PAGE in (sent, forgotten)
        return Swept(gone + shards, whole, sent, forgotten, more)

    def erase(self, tenant: str, job_id: str) -> None:
        """Delete a job at once, with its deliveries; one that waits is cancelled by it.

        Raises:
            NotFound: the tenant has no such job, or (Gone) none any more.
            Conflict: ``still_running``, it was asked to end and can be deleted then; or
                ``part_of_batch``, a shard goes with its batch, or
                ``part_of_conversation``, a turn with its conversation.
        """
        if self._database.transact(partial(_erase, tenant, job_id)) is JobState.RUNNING:
            raise Conflict(
                f"job {job_id} runs and was asked to end; delete it when it has ended",
                "still_running",
            )

    def _tenants(self) -> Iterator[str]:
        """Tenants that have jobs, each found by one step of the index."""
        last = ""
        with self._database.read() as connection:
            while True:
                query = select(func.min(jobs.c.tenant)).where(jobs.c.tenant > last)
                tenant: str | None = connection.execute(query).scalar()
                if tenant is None:
                    return
                last = tenant
                yield tenant

    def _old_batches(self, keep_seconds: float) -> tuple[int, int, bool]:
        """Delete old batches; returns how many, how many shards, and whether there are more."""
        with self._database.read() as connection:
            ids: Sequence[str] = (
                connection.execute(
                    select(batches.c.id)
                    .where(
                        batches.c.state.in_(BATCH_TERMINAL),
                        batches.c.finished_at < now() - keep_seconds,
                    )
                    .order_by(batches.c.finished_at)
                    .limit(_BATCHES_AT_ONCE)
                )
                .scalars()
                .all()
            )
        whole = shards = 0
        more = len(ids) == _BATCHES_AT_ONCE
        for batch_id in ids:
            count, done = self._database.transact(partial(_old_batch, batch_id))
            shards += count
            whole += done
            more = more or count == PAGE
        return whole, shards, more


def _old_jobs(tenant: str, keep_seconds: float, connection: Connection) -> int:
    before = now() - keep_seconds
    rows = connection.execute(
        select(jobs.c.id)
        .where(
            jobs.c.tenant == tenant,
            jobs.c.created_at < before,  # no job ends before it begins, and there is an index
            jobs.c.finished_at < before,
            jobs.c.batch_id.is_(None),
            _ENDED,
        )
        .order_by(jobs.c.created_at)
        .limit(PAGE)
        .with_for_update(skip_locked=True)
    ).all()
    return bury(connection, [row.id for row in rows])


def _old_batch(batch_id: str, connection: Connection) -> tuple[int, bool]:
    """Delete a page of shards, and the batch after the last; returns both."""
    page = select(jobs.c.id).where(jobs.c.batch_id == batch_id, _ENDED).limit(PAGE)
    gone = connection.execute(delete(jobs).where(jobs.c.id.in_(page), _ENDED)).rowcount
    left = exists().where(jobs.c.batch_id == batch_id)
    done = connection.execute(delete(batches).where(batches.c.id == batch_id, ~left)).rowcount
    return gone, bool(done)


def _old_deliveries(keep_seconds: float, connection: Connection) -> int:
    return _delete_deliveries(connection, _CLOSED, deliveries.c.finished_at < now() - keep_seconds)


def _old_tombstones(seconds: float, connection: Connection) -> int:
    page = select(tombstones.c.id).where(tombstones.c.deleted_at < now() - seconds).limit(PAGE)
    gone: int = connection.execute(delete(tombstones).where(tombstones.c.id.in_(page))).rowcount
    return gone


def _erase(tenant: str, job_id: str, connection: Connection) -> JobState:
    mine = (jobs.c.tenant == tenant, jobs.c.id == job_id)
    row = connection.execute(
        select(jobs.c.state, jobs.c.batch_id, jobs.c.conversation_id).where(*mine).with_for_update()
    ).first()
    if row is None:
        raise missing(connection, job_id, tenant)
    if row.batch_id is not None:
        raise Conflict(
            f"job {job_id} is a part of {row.batch_id} and is deleted with it", "part_of_batch"
        )
    if row.conversation_id is not None:
        raise Conflict(
            f"job {job_id} is a turn of {row.conversation_id} and is deleted with it",
            "part_of_conversation",
        )
    state = JobState(row.state)
    if state is JobState.RUNNING:
        connection.execute(update(jobs).where(*mine).values(cancel_requested=True))
        return state
    if state in WAITING:
        cancel_waiting(connection, *mine)
    bury(connection, [job_id])
    delete_deliveries_of(connection, tenant, [job_id])
    return state


def cancel_waiting(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Cancel jobs that wait, and what follows from it."""
    cancelled = connection.execute(
        update(jobs)
        .where(*which)
        .values(state=JobState.CANCELLED, finished_at=now(), cancel_requested=True)
        .returning(*SETTLED_COLUMNS)
    ).all()
    settle(connection, cancelled)


def delete_deliveries_of(connection: Connection, tenant: str, job_ids: Sequence[str]) -> None:
    """Delete the tenant's webhook deliveries that tell of any of these jobs, with attempts."""
    if not job_ids:
        return
    told = or_(*(_tells_of(connection, job_id) for job_id in job_ids))
    while _delete_deliveries(connection, deliveries.c.tenant == tenant, told):
        pass


def _delete_deliveries(connection: Connection, *which: ColumnElement[bool]) -> int:
    ids = connection.execute(select(deliveries.c.id).where(*which).limit(PAGE)).scalars().all()
    connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(ids)))
    connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
    return len(ids)


def _tells_of(connection: Connection, job_id: str) -> ColumnElement[bool]:
    """Whether the frozen body of a delivery is about that job."""
    needle = b'"id":' + orjson.dumps(job_id)
    if connection.dialect.name == "sqlite":
        return func.instr(deliveries.c.body, needle) > 0
    return func.position(literal(needle, LargeBinary).op("in")(deliveries.c.body)) > 0
