"""What an operator should know of, kept as rows: it is in the log too, but logs go."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from lepton_tasks.ids import new_id
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import OperatorEventRow

events = OperatorEventRow.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class OperatorEvent:
    """Something that happened to ``subject`` (an id), in words without any user's text."""

    id: str
    at: float
    kind: str
    tenant: str
    subject: str
    detail: str


def note(connection: Connection, kind: str, tenant: str, subject: str, detail: str) -> None:
    """Write an event within the transaction that makes it true."""
    connection.execute(
        events.insert().values(
            id=new_id("op"), at=now(), kind=kind, tenant=tenant, subject=subject, detail=detail
        )
    )


class OperatorEventStore:
    """The operator_events table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recent(self, limit: int = 100, tenant: str | None = None) -> list[OperatorEvent]:
        """Read the last events, newest first, of one tenant or of all."""
        query = select(*events.c).order_by(events.c.at.desc(), events.c.id.desc()).limit(limit)
        if tenant is not None:
            query = query.where(events.c.tenant == tenant)
        with self._database.read() as connection:
            return [OperatorEvent(**row._mapping) for row in connection.execute(query).all()]
