"""Writing new job rows: many callers' jobs in one transaction, each caller's all or none.

The statement is text made once for each kind of database and run with plain values;
through SQLAlchemy's own processing of parameters a row costs several times as much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects import postgresql

from lepton_tasks.errors import Gone, IdempotencyConflict, StoreUnavailable
from lepton_tasks.jobs import NewJob, Submitted
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.states import JobState
from lepton_tasks.store.backlog import count_published, has_backlog
from lepton_tasks.store.database import now
from lepton_tasks.store.tables import JobRow
from lepton_tasks.store.tombstones import Tombstone, buried_keys
from lepton_tasks.store.turns import add_turns, take_turns
from lepton_tasks.window import Allowance

jobs = JobRow.__table__  # type: ignore[attr-defined]

Allow = Callable[[str], Allowance]
"""Says how many jobs may be published at once to a queue."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One caller's jobs, stored: an answer for each, in order.

    ``due`` are those to be published now. ``held_back`` tells that others are due too
    and wait for room.
    """

    answers: list[Submitted]
    due: list[NewJob]
    held_back: bool


Outcome = Stored | Exception
"""What became of one caller's jobs: stored, or why none of them was."""

_Key = tuple[str, str]  # tenant, idempotency key

_QUEUED: Final = JobState.QUEUED.value
_KEYS_A_QUERY: Final = 400
_OTHER_BODY: Final = "this Idempotency-Key was used before with another request body; use a new key"


def new_row(job: NewJob, clock: float) -> dict[str, Any]:
    """Columns of a job created at ``clock``; one that is due counts as published."""
    values = _values(job, clock, published=is_due(job, clock))
    return _ALIKE | dict(zip(_COLUMNS, values, strict=True))


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
    "conversation_id",
    "webhook",
    "metadata",
)


def _values(job: NewJob, clock: float, published: bool) -> tuple[Any, ...]:
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
        _deadline(job, clock),
        clock,
        clock if published else None,
        job.idempotency_key,
        job.body_hash,
        job.batch_id,
        job.ordinal,
        None if job.turn is None else job.turn.conversation_id,
        job.webhook,
        orjson.dumps(dict(job.metadata)).decode() if job.metadata else "{}",
    )


def _deadline(job: NewJob, clock: float) -> float | None:
    if job.deadline is not None or job.ttl_seconds is None:
        return job.deadline
    return clock + job.ttl_seconds


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


def insert_rows(
    connection: Connection, groups: Sequence[Sequence[NewJob]], allow: Allow | None = None
) -> list[Outcome]:
    """Insert several callers' jobs; returns an outcome a caller, in order.

    Due jobs count as published where ``allow`` lets them be, all of them without it.

    A job that is a turn of a conversation gets its history, and its turn is stored with it.

    Raises:
        TornGroups: callers with several jobs met a conflict, or the job of a caller's key
            has been deleted, or a conversation takes no turn now. Roll back and insert the
            others again, for what these callers inserted must not stay.
    """
    if not any(groups):
        return [Stored([], [], held_back=False) for _ in groups]
    clock: float = connection.execute(select(now())).scalar_one()
    taken = take_turns(connection, groups, clock)
    if taken.errors:
        raise TornGroups(taken.errors)
    groups = taken.groups
    new = [job for group in groups for job in group]
    due = {job.id for job in new if is_due(job, clock)}
    at_once = due if allow is None else _at_once(connection, new, due, clock, allow)
    keys = {_key(job) for job in new if job.idempotency_key is not None}
    _refuse_deleted(connection, groups, keys)
    if keys:  # one order for all processes, so that they cannot deadlock over the keys
        new.sort(key=_key)
    _execute(connection, [_values(job, clock, job.id in at_once) for job in new])
    holders = _holders(connection, sorted(keys))
    outcomes: list[Outcome] = []
    torn: dict[int, Exception] = {}
    for place, group in enumerate(groups):
        try:
            answers = [_answer(job, clock, holders) for job in group]
        except (IdempotencyConflict, StoreUnavailable) as error:
            outcomes.append(error)
            if len(group) > 1:
                torn[place] = error
        else:
            fresh = [job for job, one in zip(group, answers, strict=True) if not one.replayed]
            held_back = any(job.id in due and job.id not in at_once for job in fresh)
            published = [job for job in fresh if job.id in at_once]
            outcomes.append(Stored(answers, published, held_back))
    if torn:
        raise TornGroups(torn)
    if taken.rows:
        stored = [one for one in outcomes if isinstance(one, Stored)]
        add_turns(connection, taken, (answer.id for one in stored for answer in one.answers))
    return outcomes


def find_earlier(connection: Connection, again: Sequence[NewJob]) -> list[Submitted] | None:
    """Answers for jobs with keys that have all been submitted before; None where one is new.

    Raises:
        IdempotencyConflict: a key was used before for another job.
        Gone: the job of a key has been deleted.
    """
    keys = sorted({_key(job) for job in again})
    deleted = _deleted(connection, keys)
    for job in again:
        if _key(job) in deleted:
            raise _used_up(job, deleted[_key(job)])
    holders = _holders(connection, keys)
    if len(holders) < len(keys):
        return None
    return [_repeated(job, holders[_key(job)]) for job in again]


def _refuse_deleted(
    connection: Connection, groups: Sequence[Sequence[NewJob]], keys: set[_Key]
) -> None:
    """Raise TornGroups where a key's job has been deleted: it must not run again."""
    if not keys or not (deleted := _deleted(connection, sorted(keys))):
        return
    errors: dict[int, Exception] = {}
    for place, group in enumerate(groups):
        for job in group:
            tombstone = deleted.get(_key(job))
            if job.idempotency_key is not None and tombstone is not None:
                errors.setdefault(place, _used_up(job, tombstone))
    raise TornGroups(errors)


def _deleted(connection: Connection, keys: Sequence[_Key]) -> dict[_Key, Tombstone]:
    found: dict[_Key, Tombstone] = {}
    for start in range(0, len(keys), _KEYS_A_QUERY):
        found |= buried_keys(connection, keys[start : start + _KEYS_A_QUERY])
    return found


def _used_up(job: NewJob, tombstone: Tombstone) -> Exception:
    if tombstone.body_hash != job.body_hash:
        return IdempotencyConflict(_OTHER_BODY)
    return Gone(
        f"job {tombstone.id} of this Idempotency-Key was done and has been deleted; "
        "use a new key to run it again"
    )


def _at_once(
    connection: Connection, new: Sequence[NewJob], due: set[str], clock: float, allow: Allow
) -> set[str]:
    """Ids of the jobs to publish now: their queue has room, and their tenant no backlog there."""
    chosen: set[str] = set()
    wanted: defaultdict[tuple[str, Priority, str], list[str]] = defaultdict(list)
    for job in new:
        if job.id in due:
            wanted[job.task, job.priority, job.tenant].append(job.id)
    left: dict[str, int] = {}
    for (task, priority, tenant), ids in wanted.items():
        queue = queue_name(task, priority)
        allowance = allow(queue)
        room = left.setdefault(queue, allowance.room)
        if room == 0 or has_backlog(connection, task, priority, tenant, clock):
            continue
        if (share := allowance.share) is not None:
            room = min(room, share - count_published(connection, task, priority, tenant, share))
        chosen.update(ids[:room])
        left[queue] -= min(room, len(ids))
    return chosen


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
    return new if holder.id == job.id else _repeated(job, holder)


def _repeated(job: NewJob, holder: Any) -> Submitted:
    if holder.body_hash != job.body_hash:
        raise IdempotencyConflict(_OTHER_BODY)
    return Submitted(
        holder.id,
        holder.task,
        Priority(holder.priority),
        JobState(holder.state),
        holder.created_at,
        replayed=True,
    )
