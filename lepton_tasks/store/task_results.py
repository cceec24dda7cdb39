"""Results of Celery tasks that are no jobs of ours, and saved groups: what a backend keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.canvas.following import Failure
from lepton_tasks.store.canvas_tables import ChordRow, TaskGroupRow, TaskResultRow
from lepton_tasks.store.database import Database, now

results = TaskResultRow.__table__  # type: ignore[attr-defined]
groups = TaskGroupRow.__table__  # type: ignore[attr-defined]
chords = ChordRow.__table__  # type: ignore[attr-defined]

SUCCESS: Final = "SUCCESS"
FAILURE: Final = "FAILURE"
REVOKED: Final = "REVOKED"
READY: Final = (SUCCESS, FAILURE, REVOKED)
"""Celery's states of tasks that have ended."""
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A stored result: ``meta`` is JSON in Celery's encoding."""

    id: str
    status: str
    meta: str


class TaskResultStore:
    """What Celery's backends are asked to keep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, task_id: str, status: str, meta: str) -> None:
        """Store a result; one that is a success already stays."""
        self._database.transact(lambda connection: _put(connection, task_id, status, meta))

    def find(self, task_ids: Sequence[str]) -> list[TaskResult]:
        """Results that are there, in no particular order."""
        found: list[TaskResult] = []
        with self._database.read() as connection:
            for start in range(0, len(task_ids), _PAGE):
                page = task_ids[start : start + _PAGE]
                query = select(results.c.id, results.c.status, results.c.meta)
                rows = connection.execute(query.where(results.c.id.in_(page))).all()
                found += [TaskResult(*row) for row in rows]
        return found

    def forget(self, task_id: str) -> None:
        """Delete a result."""
        self._database.transact(
            lambda connection: connection.execute(delete(results).where(results.c.id == task_id))
        )

    def save_group(self, group_id: str, tree: str) -> None:
        """Keep the JSON of a group's results."""

        def work(connection: Connection) -> None:
            insert = _insert_into(connection)(groups).values(
                id=group_id, tree=tree, stored_at=select(now()).scalar_subquery()
            )
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["id"],
                    set_={"tree": insert.excluded.tree, "stored_at": insert.excluded.stored_at},
                )
            )

        self._database.transact(work)

    def group(self, group_id: str) -> str | None:
        """The JSON of a saved group."""
        with self._database.read() as connection:
            tree: str | None = connection.execute(
                select(groups.c.tree).where(groups.c.id == group_id)
            ).scalar_one_or_none()
        return tree

    def delete_group(self, group_id: str) -> None:
        """Delete a saved group; its results stay."""
        self._database.transact(
            lambda connection: connection.execute(delete(groups).where(groups.c.id == group_id))
        )

    def sweep(self, keep_seconds: float) -> bool:
        """Delete a page of what is older, of each kind; True where there may be more."""

        def work(connection: Connection) -> bool:
            full = False
            for table, age in (
                (results, results.c.stored_at),
                (groups, groups.c.stored_at),
                (chords, chords.c.created_at),
            ):
                old = select(table.c.id).where(age < now() - keep_seconds).limit(_PAGE)
                gone = connection.execute(delete(table).where(table.c.id.in_(old))).rowcount
                full = full or gone == _PAGE
            return full

        return self._database.transact(work)


def revoked(connection: Connection, task_ids: Sequence[str]) -> set[str]:
    """Those of ``task_ids`` that were revoked while nobody knew of a job of theirs."""
    if not task_ids:
        return set()
    query = select(results.c.id).where(results.c.id.in_(task_ids), results.c.status == REVOKED)
    return set(connection.execute(query).scalars())


def put_failures(connection: Connection, never: Mapping[str, Failure]) -> None:
    """Store that tasks have failed that will never run; what has ended before stays."""
    ended_at = datetime.now(UTC).isoformat()
    for task_id in sorted(never):
        meta: dict[str, Any] = {
            "status": FAILURE,
            "result": never[task_id],
            "traceback": None,
            "children": [],
            "date_done": ended_at,
            "task_id": task_id,
        }
        _put(connection, task_id, FAILURE, orjson.dumps(meta).decode(), final=READY)


def _put(
    connection: Connection,
    task_id: str,
    status: str,
    meta: str,
    final: Sequence[str] = (SUCCESS,),
) -> None:
    insert = _insert_into(connection)(results).values(
        id=task_id, status=status, meta=meta, stored_at=select(now()).scalar_subquery()
    )
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in ("status", "meta", "stored_at")},
            where=results.c.status.not_in(final),
        )
    )


def _insert_into(connection: Connection) -> Callable[..., Any]:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
