"""Batches of uploaded files as those see them who run them: who does, how far they have come.

A *runner* has a batch under a lease on the database's clock and a fence: once another has
claimed it, nothing that the first one writes is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    case,
    func,
    literal_column,
    select,
    update,
)

from lepton_tasks.errors import LeaseLost
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState, batch_sources
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import cancel_shards
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.files import insert_file
from lepton_tasks.store.settle import BATCH_COLUMNS, tell_of_batch, tell_of_progress

batches = BatchRow.__table__  # type: ignore[attr-defined]

OUTPUT_PURPOSE: Final = "batch_output"
_OPEN_STATES: Final = ("validating", "in_progress", "finalizing", "cancelling")
# Written out, as the partial index has it.
_OPEN: Final = batches.c.state.in_([literal_column(f"'{state}'") for state in _OPEN_STATES]) & (
    batches.c.endpoint != literal_column("''")
)
_FREE: Final = _OPEN & (batches.c.runner_until.is_(None) | (batches.c.runner_until <= now()))


@dataclass(frozen=True, slots=True)
class BatchClaim:
    """A batch that this runner has until its lease ends, proved by ``holder`` and ``fence``.

    ``validated`` tells that its file was found whole. ``expires_at`` is its deadline by the
    database's clock, ``seconds_left`` the time to it when the batch was claimed, negative
    behind it; both are None where it has none.
    """

    id: str
    tenant: str
    endpoint: str
    priority: Priority
    input_file_id: str | None
    state: BatchState
    validated: bool
    expires_at: float | None
    seconds_left: float | None
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class LineCounts:
    """How many lines of a batch have an answer, and how many have failed."""

    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that a batch has made: its content is in place, its row is not."""

    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a batch; a file that would be empty is not made."""

    counts: LineCounts
    output: MadeFile | None = None
    errors: MadeFile | None = None
    usage: Mapping[str, Any] | None = None


class BatchRunStore:
    """Gives batches to runners, and takes what they report."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self) -> bool:
        """Whether a batch waits for a runner."""
        with self._database.read() as connection:
            return (
                connection.execute(select(batches.c.id).where(_FREE).limit(1)).first() is not None
            )

    def starving(self) -> bool:
        """Whether a tenant waits for a runner of whose batches none is in work."""
        at_work = _at_work()
        with self._database.read() as connection:
            found = connection.execute(
                select(batches.c.id)
                .outerjoin(at_work, at_work.c.owner == batches.c.tenant)
                .where(_FREE, at_work.c.owner.is_(None))
                .limit(1)
            ).first()
        return found is not None

    def claim(self, holder: str, seconds: float) -> BatchClaim | None:
        """Take a batch that nobody runs, for ``seconds``; None where there is none.

        Tenants take turns: the one with the fewest batches in work comes first, and of its
        batches the oldest.
        """
        return self._database.transact(partial(_claim, holder, seconds), durable=False)

    def renew(self, claim: BatchClaim, seconds: float) -> BatchState:
        """Extend the lease to ``seconds`` from now; returns the state, so a cancel is seen.

        Raises:
            LeaseLost: another runs it now, or it is gone.
        """
        return self._write(claim, {"runner_until": now() + seconds}, durable=False)

    def validated(
        self, claim: BatchClaim, total_lines: int, model: str | None = None
    ) -> BatchState:
        """Note that the file is whole and has so many lines; returns the state.

        ``model`` is the one that all of them name, if they do.

        Raises:
            LeaseLost: as above.
        """
        fresh = batches.c.state == BatchState.VALIDATING
        values = {
            "state": case((fresh, BatchState.IN_PROGRESS), else_=batches.c.state),
            "in_progress_at": func.coalesce(batches.c.in_progress_at, now()),
            "total_lines": total_lines,
            "model": model,
        }
        return self._write(claim, values)

    def progress(
        self, claim: BatchClaim, counts: LineCounts, output_bytes: int, error_bytes: int
    ) -> BatchState:
        """Note how far it has come: so many bytes of both files are durable. Returns the state.

        Raises:
            LeaseLost: as above.
        """
        values = {
            "completed_lines": counts.completed,
            "failed_lines": counts.failed,
            "output_bytes": output_bytes,
            "error_bytes": error_bytes,
        }
        return self._database.transact(partial(_progress, claim, values), durable=False)

    def finalizing(self, claim: BatchClaim) -> BatchState:
        """Note that all lines are written; from now on it cannot be cancelled. Returns the state.

        Raises:
            LeaseLost: as above.
        """
        at_work = batches.c.state.in_(batch_sources(BatchState.FINALIZING))
        values = {
            "state": case((at_work, BatchState.FINALIZING), else_=batches.c.state),
            "finalizing_at": case((at_work, now()), else_=batches.c.finalizing_at),
        }
        return self._write(claim, values)

    def cancel_shards(self, claim: BatchClaim) -> None:
        """Cancel its shards that wait; running ones are flagged."""
        self._database.transact(partial(cancel_shards, tenant=claim.tenant, batch_id=claim.id))

    def finish(self, claim: BatchClaim, ended: BatchState, made: Made) -> BatchState:
        """End a batch, with its files and the deliveries that it owes, at once.

        ``ended`` is completed or expired; one that is being cancelled is cancelled. Returns
        how it ended.

        Raises:
            LeaseLost: as above.
        """
        return self._database.transact(partial(_finish, claim, ended, made, None))

    def refuse(self, claim: BatchClaim, errors: Sequence[Mapping[str, Any]]) -> BatchState:
        """End a batch as failed for what is wrong with its file, unless it is being cancelled.

        Raises:
            LeaseLost: as above.
        """
        listed = orjson.dumps([dict(error) for error in errors]).decode()
        return self._database.transact(
            partial(_finish, claim, BatchState.FAILED, Made(LineCounts()), listed)
        )

    def release(self, claim: BatchClaim, seconds: float = 0.0) -> None:
        """Give a batch back; another runner may have it ``seconds`` from now."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(batches)
                .where(*_mine(claim))
                .values(runner=None, runner_until=now() + seconds)
            )

    def _write(
        self, claim: BatchClaim, values: Mapping[str, Any], *, durable: bool = True
    ) -> BatchState:
        with self._database.write(durable) as connection:
            state = connection.execute(
                update(batches).where(*_mine(claim)).values(values).returning(batches.c.state)
            ).scalar()
        if state is None:
            raise _lost(claim)
        return BatchState(state)


def _mine(claim: BatchClaim) -> tuple[ColumnElement[bool], ...]:
    # Not its time: a lease that ran out unnoticed, as in an outage, goes on if nobody came.
    return (
        batches.c.id == claim.id,
        batches.c.runner == claim.holder,
        batches.c.runner_fence == claim.fence,
    )


def _lost(claim: BatchClaim) -> LeaseLost:
    return LeaseLost(f"batch {claim.id} is run by another, or is gone")


def _at_work() -> Subquery:
    """How many batches are in work, of each tenant that has any."""
    return (
        select(batches.c.tenant.label("owner"), func.count().label("running"))
        .where(_OPEN, batches.c.runner_until > now())
        .group_by(batches.c.tenant)
        .subquery()
    )


def _claim(holder: str, seconds: float, connection: Connection) -> BatchClaim | None:
    at_work = _at_work()
    batch_id = connection.execute(
        select(batches.c.id)
        .outerjoin(at_work, at_work.c.owner == batches.c.tenant)
        .where(_FREE)
        .order_by(func.coalesce(at_work.c.running, 0), batches.c.created_at, batches.c.id)
        .limit(1)
        .with_for_update(of=batches, skip_locked=True)
    ).scalar()
    if batch_id is None:
        return None
    row = connection.execute(
        update(batches)
        .where(batches.c.id == batch_id)
        .values(
            runner=holder,
            runner_until=now() + seconds,
            runner_fence=batches.c.runner_fence + 1,
        )
        .returning(
            *(batches.c[name] for name in ("id", "tenant", "endpoint", "input_file_id")),
            batches.c.state,
            batches.c.priority,
            batches.c.in_progress_at,
            batches.c.expires_at,
            (batches.c.expires_at - now()).label("seconds_left"),
            batches.c.runner_fence.label("fence"),
        )
    ).one()
    values = dict(row._mapping)
    # Asked here: SQLite's RETURNING says of any column that IS NOT NULL.
    values["validated"] = values.pop("in_progress_at") is not None
    values["state"] = BatchState(values["state"])
    values["priority"] = Priority(values["priority"])
    return BatchClaim(**values, holder=holder)


def _progress(claim: BatchClaim, values: Mapping[str, Any], connection: Connection) -> BatchState:
    done = batches.c.completed_lines + batches.c.failed_lines
    before = connection.execute(select(done).where(*_mine(claim))).scalar()
    row = connection.execute(
        update(batches)
        .where(*_mine(claim))
        .values(values)
        .returning(*BATCH_COLUMNS, now().label("at"))
    ).first()
    if before is None or row is None:
        raise _lost(claim)
    tell_of_progress(connection, row, before)
    return BatchState(row.state)


def _finish(
    claim: BatchClaim, ended: BatchState, made: Made, errors: str | None, connection: Connection
) -> BatchState:
    cancelled = (batches.c.state == BatchState.CANCELLING, BatchState.CANCELLED)
    sources = {*batch_sources(ended), BatchState.CANCELLING}
    row = connection.execute(
        update(batches)
        .where(*_mine(claim), batches.c.state.in_(sorted(sources)))
        .values(
            state=case(cancelled, else_=ended),
            finished_at=now(),
            completed_lines=made.counts.completed,
            failed_lines=made.counts.failed,
            output_bytes=made.output.size if made.output else 0,
            error_bytes=made.errors.size if made.errors else 0,
            output_file_id=made.output.id if made.output else None,
            error_file_id=made.errors.id if made.errors else None,
            usage=None if made.usage is None else orjson.dumps(dict(made.usage)).decode(),
            errors=case((batches.c.state == BatchState.CANCELLING, None), else_=errors),
            runner=None,
            runner_until=None,
        )
        .returning(*BATCH_COLUMNS, batches.c.output_seconds)
    ).first()
    if row is None:
        raise _lost(claim)
    for kind, one in (("output", made.output), ("error", made.errors)):
        if one is not None:
            name = f"{claim.id}_{kind}.jsonl"
            insert_file(
                connection, claim.tenant, one.id, OUTPUT_PURPOSE, name, one.size, row.output_seconds
            )
    tell_of_batch(connection, row)
    return BatchState(row.state)
