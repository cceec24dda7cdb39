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
    """Columns of a job created at ``clock``; one that is due counts as published."""
    return _ALIKE | dict(zip(_COLUMNS, _values(job, clock), strict=True))


_ALIKE: Final = {"state": _QUEUED, "attempts": 0, "fence": 0, "cancel_requested": False}
"""Columns in which all new jobs are alike."""
_COLUMNS: Final = (
    "id",
    "tenant",
    "task",
    "priority",
    "payload",
    "single",
    "items",
    "cost",
    "run_after",
    "deadline",
    "created_at",
    "published_at",
    "idempotency_key",
    "body_hash",
    "batch_id",
    "ordinal",
    "webhook",
    "metadata",
)


def _values(job: NewJob, clock: float) -> tuple[Any, ...]:
    """Values of the other columns, of plain types, which drivers bind without looking twice."""
    payload = job.payload
    return (
        job.id,
        job.tenant,
        job.task,
        str(job.priority),
        payload.dump(),
        payload.single,
        len(payload.inputs),
        job.cost,
        clock if job.run_at is None else job.run_at,
        None if job.ttl_seconds is None else clock + job.ttl_seconds,
        clock,
        clock if is_due(job, clock) else None,
        job.idempotency_key,
        job.body_hash,
        job.batch_id,
        job.ordinal,
        job.webhook,
        orjson.dumps(dict(job.metadata)).decode() if job.metadata else "{}",
    )


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
    new = [job for group in groups for job in group]
    keys = {_key(job) for job in new if job.idempotency_key is not None}
    if keys:  # one order for all processes, so that they cannot deadlock over the keys
        new.sort(key=_key)
    _execute(connection, [_values(job, clock) for job in new])
    holders = _holders(connection, sorted(keys))
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


def _key(job: NewJob) -> _Key:
    return job.tenant, job.idempotency_key or ""


def _execute(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    # A column that no row uses is left out: binding NULLs costs as much as binding values.
    used = [place for place, column in enumerate(columns) if column.count(None) < len(rows)]
    arrays = [list(columns[place]) for place in used]
    statement = _statement(connection.dialect.name, tuple(_COLUMNS[place] for place in used))
    if connection.dialect.name == "postgresql":
        # One array a column costs the server far less than one execution a row.
        connection.exec_driver_sql(statement, tuple(arrays))
    else:
        connection.exec_driver_sql(statement, list(zip(*arrays, strict=True)))


@lru_cache(maxsize=128)
def _statement(dialect: str, names: tuple[str, ...]) -> str:
    alike = "'queued', 0, 0, false"  # the values of _ALIKE
    if dialect == "postgresql":
        kinds = [jobs.c[name].type.compile(dialect=postgresql.dialect()) for name in names]  # type: ignore[no-untyped-call]
        arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
        source = f"SELECT {alike}, row.* FROM unnest({arrays}) AS row"  # noqa: S608 - our own types
    else:
        source = f"VALUES ({alike}, {', '.join('?' for _ in names)})"
    return (
        f"INSERT INTO jobs ({', '.join([*_ALIKE, *names])}) {source} "
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
    holder = holders.get(_key(job))
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
