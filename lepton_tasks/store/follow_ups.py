"""Owed calls, as whoever sends them sees them: taken for a while, and deleted once sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from lepton_tasks.canvas.following import Call, Failure, after_chord_failure
from lepton_tasks.store.canvas_tables import FollowUpRow
from lepton_tasks.store.canvases import write_down
from lepton_tasks.store.database import Database, now

follow_ups = FollowUpRow.__table__  # type: ignore[attr-defined]

MOST_AT_ONCE: Final = 100
TAKEN_SECONDS: Final = 15.0
"""For so long nobody else sends what somebody has taken."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An owed call that its taker may send; ``attempts`` counts the takers, this one included."""

    id: str
    call: Call
    attempts: int


class FollowUpStore:
    """Calls that were written down with the ends they follow from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, ids: Sequence[str] | None = None) -> list[FollowUp]:
        """Take calls that are due, or those of ``ids`` that are; oldest first."""
        with self._database.read() as connection:
            clock: float = connection.execute(select(now())).scalar_one()
            # PostgreSQL's clock is volatile: compared with it, the index could not be used.
            due = [follow_ups.c.next_at <= clock]
            if ids is not None:
                due.append(follow_ups.c.id.in_(ids[:MOST_AT_ONCE]))
            if connection.execute(select(follow_ups.c.id).where(*due).limit(1)).first() is None:
                return []
        # Lost with the disk's cache it is taken again: the call is then sent twice.
        return self._database.transact(lambda connection: _take(connection, due), durable=False)

    def sent(self, done: Sequence[FollowUp]) -> None:
        """Delete what was sent, unless somebody else has taken it since."""
        if done:
            self._database.transact(
                lambda connection: connection.execute(delete(follow_ups).where(_theirs(done))),
                durable=False,
            )

    def postpone(self, failed: Sequence[FollowUp], seconds: float) -> None:
        """Leave calls that could not be sent to whoever comes after ``seconds``."""
        if failed:
            self._database.transact(
                lambda connection: connection.execute(
                    update(follow_ups).where(_theirs(failed)).values(next_at=now() + seconds)
                )
            )

    def give_up(self, hopeless: FollowUp, failure: Failure) -> None:
        """Delete a call that cannot be sent; its tasks have failed, and its errbacks are owed."""

        def work(connection: Connection) -> None:
            if connection.execute(delete(follow_ups).where(_theirs([hopeless]))).rowcount:
                call = hopeless.call
                signature = dict(call.signature)
                if chain := call.options.get("chain"):
                    options = {**(signature.get("options") or {}), "chain": chain}
                    signature["options"] = options
                write_down(connection, after_chord_failure(signature, failure))

        self._database.transact(work)

    def count(self) -> int:
        """Calls that are owed."""
        with self._database.read() as connection:
            return len(connection.execute(select(follow_ups.c.id)).all())


def _take(connection: Connection, due: Sequence[ColumnElement[bool]]) -> list[FollowUp]:
    page = (
        select(follow_ups.c.id)
        .where(*due)
        .order_by(follow_ups.c.next_at, follow_ups.c.id)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("page")
    )
    rows = connection.execute(
        update(follow_ups)
        .where(follow_ups.c.id.in_(select(page.c.id)), *due)
        .values(next_at=now() + TAKEN_SECONDS, attempts=follow_ups.c.attempts + 1)
        .returning(follow_ups.c.id, follow_ups.c.call, follow_ups.c.attempts)
    ).all()
    return [
        FollowUp(row.id, Call(**orjson.loads(row.call)), row.attempts)
        for row in sorted(rows, key=lambda row: str(row.id))
    ]


def _theirs(taken: Sequence[FollowUp]) -> ColumnElement[bool]:
    return or_(
        *(and_(follow_ups.c.id == one.id, follow_ups.c.attempts == one.attempts) for one in taken)
    )
