"""Conversations as their tenants see them. Every method names the tenant, but the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.errors import Conflict, NotFound
from lepton_tasks.ids import new_id
from lepton_tasks.states import WAITING, JobState
from lepton_tasks.store.conversation_tables import ConversationRow, TurnRow
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.paging import newest_first
from lepton_tasks.store.retention import cancel_waiting, delete_deliveries_of
from lepton_tasks.store.tables import JobRow
from lepton_tasks.store.tombstones import bury
from lepton_tasks.store.turns import gone, new_conversation, open_job

jobs = JobRow.__table__  # type: ignore[attr-defined]
conversations = ConversationRow.__table__  # type: ignore[attr-defined]
turns = TurnRow.__table__  # type: ignore[attr-defined]

PAGE: Final = 50
"""Most turns that one transaction erases, and conversations that one sweep does."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its texts. ``turns`` are all it has had."""

    tenant: str
    id: str
    turns: int
    expires_after: float | None
    expires_at: float | None
    metadata: Mapping[str, str]
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn; ``answer`` is None until its job has succeeded."""

    number: int
    job_id: str
    system: str | None
    said: str
    answer: str | None
    created_at: float


class ConversationStore:
    """The conversations and their turns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        tenant: str,
        conversation_id: str | None = None,
        *,
        expires_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Conversation:
        """Make a conversation that is kept ``expires_after`` seconds without a turn, or for ever.

        Raises:
            Conflict: the tenant has one of that id.
        """
        chosen = conversation_id or new_id("conv")
        text = orjson.dumps(dict(metadata or {})).decode()
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite

        def work(connection: Connection) -> None:
            clock: float = connection.execute(select(now())).scalar_one()
            made = connection.execute(
                dialect.insert(conversations)
                .values(new_conversation(tenant, chosen, expires_after, text, clock))
                .on_conflict_do_nothing()
                .returning(conversations.c.id)
            ).first()
            if made is None:
                raise Conflict(f"there is a conversation {chosen} already", "conversation_exists")

        self._database.transact(work)
        return self.get(tenant, chosen)

    def get(self, tenant: str, conversation_id: str) -> Conversation:
        """Read a conversation.

        Raises:
            NotFound: the tenant has no such conversation, or (Gone) it has expired.
        """
        with self._database.read() as connection:
            return _view(_live(connection, tenant, conversation_id))

    def page(self, tenant: str, *, after: str | None = None, limit: int = 20) -> list[Conversation]:
        """Page through a tenant's conversations, newest first, beginning after ``after``.

        Raises:
            NotFound: ``after`` is no conversation of this tenant.
        """
        last = None if after is None else self.get(tenant, after)
        query = select(conversations).where(conversations.c.tenant == tenant, _is_live())
        with self._database.read() as connection:
            rows = connection.execute(newest_first(query, conversations, last, limit)).all()
        return [_view(row) for row in rows]

    def turns(
        self, tenant: str, conversation_id: str, *, after: int = -1, limit: int = 20
    ) -> list[Turn]:
        """Page through the turns of a conversation, oldest first, those numbered above ``after``.

        Raises:
            NotFound: the tenant has no such conversation, or (Gone) it has expired.
        """
        with self._database.read() as connection:
            _live(connection, tenant, conversation_id)
            rows = connection.execute(
                select(*(turns.c[name] for name in _TURN))
                .where(*_of(turns, tenant, conversation_id), turns.c.number > after)
                .order_by(turns.c.number)
                .limit(limit)
            ).all()
        return [Turn(*row) for row in rows]

    def erase(self, tenant: str, conversation_id: str) -> None:
        """Delete a conversation, its turns, and their jobs with texts, results and deliveries.

        A turn that waits is cancelled by it.

        Raises:
            NotFound: the tenant has no such conversation.
            Conflict: ``still_running``, its last turn was asked to end; erase it then.
        """
        running = self._database.transact(partial(_close, tenant, conversation_id))
        if running is not None:
            raise Conflict(
                f"job {running} of conversation {conversation_id} runs and was asked to end; "
                "delete the conversation when it has ended",
                "still_running",
            )
        while not self._database.transact(partial(_erase_page, tenant, conversation_id)):
            pass
        self._database.checkpoint()

    def sweep(self) -> bool:
        """Erase a page of what has expired, of all tenants; returns whether there may be more."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(conversations.c.tenant, conversations.c.id)
                .where(conversations.c.expires_at <= now())
                .order_by(conversations.c.expires_at)
                .limit(PAGE)
            ).all()
        whole = [self._database.transact(partial(_erase_page, row.tenant, row.id)) for row in rows]
        return len(rows) == PAGE or not all(whole)


_TURN: Final = ("number", "job_id", "system", "said", "answer", "created_at")


def _close(tenant: str, conversation_id: str, connection: Connection) -> str | None:
    """Let nobody see or continue it from now on; returns the id of a job that runs, if one does."""
    mine = and_(conversations.c.tenant == tenant, conversations.c.id == conversation_id)
    unfinished = open_job(connection, tenant, conversation_id)
    if unfinished is not None:
        state = connection.execute(
            select(jobs.c.state).where(jobs.c.id == unfinished.id).with_for_update()
        ).scalar()
        if state == JobState.RUNNING:
            connection.execute(
                update(jobs).where(jobs.c.id == unfinished.id).values(cancel_requested=True)
            )
            return str(unfinished.id)
        if state in WAITING:
            cancel_waiting(connection, jobs.c.id == unfinished.id)
    closed = connection.execute(
        update(conversations).where(mine).values(expires_at=now()).returning(conversations.c.id)
    ).first()
    if closed is None:
        raise NotFound(f"no conversation {conversation_id}")
    if open_job(connection, tenant, conversation_id) is not None:
        raise Conflict(
            f"a turn of conversation {conversation_id} was submitted at this moment; delete the "
            "conversation again",
            "conversation_busy",
        )
    return None


def _erase_page(tenant: str, conversation_id: str, connection: Connection) -> bool:
    """Erase a page of turns and their jobs, and the conversation after the last; True then.

    One that is alive again, because a job that was redriven has ended, stays.
    """
    mine = and_(conversations.c.tenant == tenant, conversations.c.id == conversation_id)
    if connection.execute(select(conversations.c.id).where(mine, _is_live())).first() is not None:
        return True
    job_ids: Sequence[str] = (
        connection.execute(
            select(turns.c.job_id).where(*_of(turns, tenant, conversation_id)).limit(PAGE)
        )
        .scalars()
        .all()
    )
    present: Sequence[str] = (
        connection.execute(
            select(jobs.c.id).where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id).with_for_update()
        )
        .scalars()
        .all()
    )
    bury(connection, present)
    delete_deliveries_of(connection, tenant, job_ids)  # they may outlive their jobs
    connection.execute(turns.delete().where(turns.c.job_id.in_(job_ids)))
    if len(job_ids) == PAGE:
        return False
    connection.execute(conversations.delete().where(mine))
    return True


def _of(table: Any, tenant: str, conversation_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.tenant == tenant, table.c.conversation_id == conversation_id


def _is_live() -> ColumnElement[bool]:
    return or_(conversations.c.expires_at.is_(None), conversations.c.expires_at > now())


def _live(connection: Connection, tenant: str, conversation_id: str) -> Row[Any]:
    row = connection.execute(
        select(conversations, _is_live().label("live")).where(
            conversations.c.tenant == tenant, conversations.c.id == conversation_id
        )
    ).first()
    if row is None:
        raise NotFound(f"no conversation {conversation_id}")
    if not row.live:
        raise gone(conversation_id)
    return row


def _view(row: Row[Any]) -> Conversation:
    names = ("tenant", "id", "turns", "expires_after", "expires_at", "created_at", "updated_at")
    fields = {name: getattr(row, name) for name in names}
    return Conversation(metadata=orjson.loads(row.metadata), **fields)
