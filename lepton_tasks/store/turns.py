"""Turns of conversations, inserted with their jobs and answered when these end.

A turn is in the transaction that inserts its job, under a lock on its conversation, so turns
have one order, and a conversation has one unfinished turn at most. The history is copied into
the job, so a worker asks for nothing; the answer is copied into the turn by the transaction
that ends the job, so a conversation outlives its jobs.

Whoever locks several rows does so in this order: jobs, turns, conversations by tenant and id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.conversations import (
    MOST_TURNS,
    AnsweredTurn,
    NewTurn,
    answer_of,
    fitting,
    parts_of,
    with_history,
)
from lepton_tasks.errors import Conflict, Gone
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.states import TERMINAL, JobState
from lepton_tasks.store.conversation_tables import ConversationRow, TurnRow
from lepton_tasks.store.database import now
from lepton_tasks.store.tables import JobRow

jobs = JobRow.__table__  # type: ignore[attr-defined]
conversations = ConversationRow.__table__  # type: ignore[attr-defined]
turns = TurnRow.__table__  # type: ignore[attr-defined]

_Key = tuple[str, str]  # tenant, conversation id

_BYTES_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """Callers' jobs with their histories; ``errors`` say by the caller's place who gets none."""

    groups: list[list[NewJob]]
    errors: dict[int, Exception] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Turns to be stored, by their job."""


def take_turns(connection: Connection, groups: Sequence[Sequence[NewJob]], clock: float) -> Taken:
    """Give each job that is a turn its history, and find out which may not be one now.

    A repeated job, known by its idempotency key, is left as it is. Conversations that are
    named for the first time are made.
    """
    new = [job for group in groups for job in group if job.turn is not None]
    taken = Taken([list(group) for group in groups])
    if not new:
        return taken
    locked = _lock(connection, new, clock)
    known = _known_keys(connection, new)
    busy: dict[_Key, str] = {}
    for place, group in enumerate(taken.groups):
        begun = dict(busy)
        try:
            for at, job in enumerate(group):
                if job.turn is None or (job.tenant, job.idempotency_key) in known:
                    continue
                key = (job.tenant, job.turn.conversation_id)
                _check(connection, locked[key], begun.get(key), clock)
                begun[key] = job.id
                group[at] = _with_history(connection, job, job.turn)
                taken.rows[job.id] = _row(job, job.turn, locked[key].turns, clock)
                if job.idempotency_key is not None:  # who sends it at the same time repeats it
                    known.add((job.tenant, job.idempotency_key))
        except (Conflict, Gone) as error:
            taken.errors[place] = error
        else:
            busy = begun
    return taken


def add_turns(connection: Connection, taken: Taken, stored: Iterable[str]) -> None:
    """Store the turns of the jobs that were ``stored``; nothing expires while one is open."""
    kept = set(stored)
    rows = [row for job_id, row in taken.rows.items() if job_id in kept]
    if not rows:
        return
    connection.execute(insert(turns), rows)
    connection.execute(
        update(conversations)
        .where(
            conversations.c.tenant == bindparam("of_tenant"),
            conversations.c.id == bindparam("of_id"),
        )
        .values(turns=conversations.c.turns + 1, updated_at=now(), expires_at=None),
        [{"of_tenant": row["tenant"], "of_id": row["conversation_id"]} for row in rows],
    )


def end_turns(connection: Connection, ended: Sequence[Row[Any]]) -> None:
    """Keep the answers of ended jobs that are turns; their conversations expire from now on."""
    mine = sorted(
        (row for row in ended if row.conversation_id is not None),
        key=lambda row: (row.tenant, row.conversation_id, row.id),
    )
    if not mine:
        return
    answers = [
        {"of_job": row.id, "said_back": answer}
        for row in mine
        if row.state == JobState.SUCCEEDED and (answer := answer_of(row.result)) is not None
    ]
    if answers:
        connection.execute(
            update(turns)
            .where(turns.c.job_id == bindparam("of_job"))
            .values(answer=bindparam("said_back")),
            answers,
        )
    connection.execute(
        update(conversations)
        .where(
            conversations.c.tenant == bindparam("of_tenant"),
            conversations.c.id == bindparam("of_id"),
        )
        .values(updated_at=now(), expires_at=now() + conversations.c.expires_after),
        [{"of_tenant": row.tenant, "of_id": row.conversation_id} for row in mine],
    )


def reopen_turn(connection: Connection, tenant: str, conversation_id: str) -> None:
    """Make a conversation ready for a turn that is done again: it has no other, nor expires.

    Raises:
        Conflict: ``conversation_busy``, a turn of it has not ended.
        Gone: it has expired.
    """
    alive = connection.execute(
        update(conversations)
        .where(
            conversations.c.tenant == tenant,
            conversations.c.id == conversation_id,
            or_(conversations.c.expires_at.is_(None), conversations.c.expires_at > now()),
        )
        .values(expires_at=None)
        .returning(conversations.c.id)
    ).first()
    if alive is None:
        raise gone(conversation_id)
    if (found := open_job(connection, tenant, conversation_id)) is not None:
        raise _busy(found.id, conversation_id)


def open_job(connection: Connection, tenant: str, conversation_id: str) -> Row[Any] | None:
    """Id and state of the job of a turn that is not done; None where all are."""
    return connection.execute(
        select(jobs.c.id, jobs.c.state)
        .join_from(turns, jobs, turns.c.job_id == jobs.c.id)
        .where(
            turns.c.tenant == tenant,
            turns.c.conversation_id == conversation_id,
            turns.c.answer.is_(None),
            jobs.c.state.not_in(TERMINAL),
        )
        .limit(1)
    ).first()


def _lock(connection: Connection, new: Sequence[NewJob], clock: float) -> dict[_Key, Row[Any]]:
    """Rows of the conversations that jobs name, locked; those that there are not are made."""
    named: dict[_Key, NewTurn] = {}
    for job in new:
        if job.turn is not None:
            named.setdefault((job.tenant, job.turn.conversation_id), job.turn)
    keys = sorted(named)  # one order for all processes, so that they cannot deadlock
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for tenant, conversation_id in keys:
        expires_after = named[tenant, conversation_id].expires_after
        connection.execute(
            dialect.insert(conversations)
            .values(new_conversation(tenant, conversation_id, expires_after, "{}", clock))
            .on_conflict_do_nothing()
        )
    rows = connection.execute(
        select(conversations)
        .where(tuple_(conversations.c.tenant, conversations.c.id).in_(keys))
        .order_by(conversations.c.tenant, conversations.c.id)
        .with_for_update()
    )
    return {(row.tenant, row.id): row for row in rows}


def new_conversation(
    tenant: str, conversation_id: str, expires_after: float | None, metadata: str, clock: float
) -> dict[str, Any]:
    """Columns of a conversation without turns, made at ``clock``."""
    return {
        "tenant": tenant,
        "id": conversation_id,
        "turns": 0,
        "expires_after": expires_after,
        "expires_at": None if expires_after is None else clock + expires_after,
        "metadata": metadata,
        "created_at": clock,
        "updated_at": clock,
    }


def gone(conversation_id: str) -> Gone:
    """What is said of a conversation that has expired, or is being deleted."""
    return Gone(f"conversation {conversation_id} has expired or was deleted; begin another")


def _known_keys(connection: Connection, new: Sequence[NewJob]) -> set[tuple[str, str | None]]:
    keys = {(job.tenant, job.idempotency_key) for job in new if job.idempotency_key is not None}
    if not keys:
        return set()
    query = select(jobs.c.tenant, jobs.c.idempotency_key).where(
        tuple_(jobs.c.tenant, jobs.c.idempotency_key).in_(sorted(keys))
    )
    return {(row.tenant, row.idempotency_key) for row in connection.execute(query)}


def _check(connection: Connection, row: Row[Any], open_here: str | None, clock: float) -> None:
    if row.expires_at is not None and row.expires_at <= clock:
        raise gone(row.id)
    if open_here is None and (found := open_job(connection, row.tenant, row.id)) is not None:
        open_here = found.id
    if open_here is not None:
        raise _busy(open_here, row.id)
    if row.turns >= MOST_TURNS:
        raise Conflict(
            f"conversation {row.id} has {row.turns:,} turns, the most there may be; begin another",
            "conversation_full",
        )


def _busy(job_id: str, conversation_id: str) -> Conflict:
    return Conflict(
        f"job {job_id} of conversation {conversation_id} has not ended; submit the next turn when "
        "it has, or cancel it",
        "conversation_busy",
    )


def _with_history(connection: Connection, job: NewJob, turn: NewTurn) -> NewJob:
    mine = (turns.c.tenant == job.tenant, turns.c.conversation_id == turn.conversation_id)
    answered = (*mine, turns.c.answer.is_not(None))
    found = connection.execute(
        select(turns.c.said, turns.c.answer)
        .where(*answered)
        .order_by(turns.c.number.desc())
        .limit(turn.history_turns)
    )
    kept = fitting([AnsweredTurn(*row) for row in found], turn.history_characters)
    there_are = connection.execute(select(func.count()).where(*answered)).scalar_one()
    system = connection.execute(
        select(turns.c.system)
        .where(*mine, turns.c.system.is_not(None))
        .order_by(turns.c.number.desc())
        .limit(1)
    ).scalar()
    item = with_history(job.payload.inputs[0], system, kept, 2 * (there_are - len(kept)))
    size = sum(len((one.said + one.answer).encode()) for one in kept)
    return replace(
        job,
        payload=Payload((item,), True, job.payload.options),
        cost=job.cost + size // _BYTES_PER_TOKEN,
    )


def _row(job: NewJob, turn: NewTurn, number: int, clock: float) -> dict[str, Any]:
    system, said = parts_of(job.payload.inputs[0])
    return {
        "tenant": job.tenant,
        "conversation_id": turn.conversation_id,
        "number": number,
        "job_id": job.id,
        "system": system,
        "said": said,
        "created_at": clock,
    }
