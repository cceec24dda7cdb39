"""Writing new job rows: many callers' jobs in one transaction, each caller's all or none.

The statement is text made once for each kind of database and run with plain values;
through SQLAlchemy's own processing of parameters a row costs several times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects import postgresql

from lepton_tasks.errors import IdempotencyConflict, StoreUnavailable
from lepton_tasks.jobs import NewJob, Submitted
from lepton_tasks.queues import Priority
from lepton_tasks.states import JobState
from lepton_tasks.store.database import now
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]

Outcome = list[Submitted] | Exception
"""What became of one caller's jobs: an answer for each, or why none of them was stored."""

_Key = tuple[str, str]  # tenant, idempotency key

_QUEUED: Final = JobState.QUEUED.value
_KEYS_A_QUERY: Final = 400


def new_row(job: NewJob, clock: float) -> dict[str, Any]:
    """Columns of a job created at ``clock``; one that is due counts as published.

    Values are of plain types, which a database driver binds without looking twice.
    """
    return {
        "id": job.id,
        "tenant": job.tenant,
        "task": job.task,
        "priority": str(job.priority),
        "state": _QUEUED,
        "payload": job.payload.dump(),
        "single": job.payload.single,
        "items": len(job.payload.inputs),
        "cost": job.cost,
        "attempts": 0,
        "fence": 0,
        "cancel_requested": False,
        "run_after": clock if job.run_at is None else job.run_at,
        "deadline": None if job.ttl_seconds is None else clock + job.ttl_seconds,
        "created_at": clock,
        "published_at": clock if is_due(job, clock) else None,
        "idempotency_key": job.idempotency_key,
        "body_hash": job.body_hash,
        "batch_id": job.batch_id,
        "ordinal": job.ordinal,
        "webhook": job.webhook,
        "metadata": orjson.dumps(dict(job.metadata)).decode() if job.metadata else "{}",
    }


def is_due(job: NewJob, clock: float) -> bool:
    """Whether a job may run at once."""
    return job.run_at is None or job.run_at <= clock


class TornGroups(Exception):
    """Callers some of whose rows went in and some of whose keys were taken: roll back.

    ``errors`` says by the caller's place what each of them should see.
    """

    def __init__(self, errors: dict[int, Exception]) -> None:
        super().__init__(f"{len(errors)} callers used a key twice")
        self.errors = errors


def insert_rows(connection: Connection, groups: Sequence[Sequence[NewJob]]) -> list[Outcome]:
    """Insert several callers' jobs; returns an outcome a caller, in order.

    Raises:
        TornGroups: callers with several jobs met a conflict. Roll back and insert the
            others again, for what these callers inserted must not stay.
    """
    if not any(groups):
        return [[] for _ in groups]
    clock: float = connection.execute(select(now())).scalar_one()
    rows = [new_row(job, clock) for group in groups for job in group]
    keys = sorted(
        {
            (job.tenant, job.idempotency_key)
            for group in groups
            for job in group
            if job.idempotency_key is not None
        }
    )
    if keys:  # one order for all processes, so that they cannot deadlock over the keys
        rows.sort(key=lambda row: (row["tenant"], row["idempotency_key"] or ""))
    _execute(connection, rows)
    holders = _holders(connection, keys)
    outcomes: list[Outcome] = []
    torn: dict[int, Exception] = {}
    for place, group in enumerate(groups):
        try:
            outcomes.append([_answer(job, clock, holders) for job in group])
        except (IdempotencyConflict, StoreUnavailable) as error:
            outcomes.append(error)
            if len(group) > 1:
                torn[place] = error
    if torn:
        raise TornGroups(torn)
    return outcomes


def _execute(connection: Connection, rows: list[dict[str, Any]]) -> None:
    statement = _statement(connection.dialect.name, tuple(rows[0]))
    if connection.dialect.name == "postgresql":
        # One array a column costs the server far less than one execution a row.
        columns = zip(*(row.values() for row in rows), strict=True)
        connection.exec_driver_sql(statement, tuple(list(column) for column in columns))
    else:
        connection.exec_driver_sql(statement, [tuple(row.values()) for row in rows])


@lru_cache(maxsize=4)
def _statement(dialect: str, names: tuple[str, ...]) -> str:
    if dialect == "postgresql":
        kinds = [jobs.c[name].type.compile(dialect=postgresql.dialect()) for name in names]  # type: ignore[no-untyped-call]
        arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
        source = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - our own column types
    else:
        source = f"VALUES ({', '.join('?' for _ in names)})"
    return (
        f"INSERT INTO jobs ({', '.join(names)}) {source} "
        "ON CONFLICT (tenant, idempotency_key) DO NOTHING"
    )


def _holders(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, Any]:
    """Rows by their keys, whoever inserted them."""
    found: dict[_Key, Any] = {}
    for start in range(0, len(keys), _KEYS_A_QUERY):
        page = keys[start : start + _KEYS_A_QUERY]
        for row in connection.execute(
            select(
                jobs.c.id,
                jobs.c.tenant,
                jobs.c.idempotency_key,
                jobs.c.task,
                jobs.c.priority,
                jobs.c.state,
                jobs.c.created_at,
                jobs.c.body_hash,
            ).where(tuple_(jobs.c.tenant, jobs.c.idempotency_key).in_(page))
        ):
            found[row.tenant, row.idempotency_key] = row
    return found


def _answer(job: NewJob, clock: float, holders: dict[_Key, Any]) -> Submitted:
    new = Submitted(job.id, job.task, job.priority, JobState.QUEUED, clock)
    if job.idempotency_key is None:
        return new
    holder = holders.get((job.tenant, job.idempotency_key))
    if holder is None:
        raise StoreUnavailable("the job of this key was deleted a moment ago; send it again")
    if holder.id == job.id:
        return new
    if holder.body_hash != job.body_hash:
        raise IdempotencyConflict(
            "this Idempotency-Key was used before with another request body; use a new key"
        )
    return Submitted(
        holder.id,
        holder.task,
        Priority(holder.priority),
        JobState(holder.state),
        holder.created_at,
        replayed=True,
    )
