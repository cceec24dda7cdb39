"""Canvases of jobs: kept with the row, and turned into owed calls by whatever ends the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, insert, select

from lepton_tasks.canvas.canvas import Canvas
from lepton_tasks.canvas.following import Failure, Following, after_failure, after_success
from lepton_tasks.ids import new_id
from lepton_tasks.states import JobState
from lepton_tasks.store.canvas_tables import CanvasRow, FollowUpRow
from lepton_tasks.store.chords import count_parts, expect_chord, with_body
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.task_results import put_failures

canvases = CanvasRow.__table__  # type: ignore[attr-defined]
follow_ups = FollowUpRow.__table__  # type: ignore[attr-defined]

_PAGE: Final = 500
_FAILED_MODULE: Final = "lepton_tasks.celery.failures"


class CanvasStore:
    """Canvases as Celery's readers and workers of other tasks see them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def children(self, task_id: str) -> list[Any]:
        """Results of what follows a job's success, as Celery's ``as_tuple`` writes them."""
        with self._database.read() as connection:
            detail: str | None = connection.execute(
                select(canvases.c.detail).where(canvases.c.job_id == task_id)
            ).scalar_one_or_none()
        return [] if detail is None else Canvas.load(detail).children(task_id)

    def follow(self, following: Following) -> list[str]:
        """Write down what follows from an end outside of our jobs; ids of the owed calls."""
        return self._database.transact(lambda connection: write_down(connection, following))

    def expect_chord(self, chord_id: str, **known: Any) -> list[str]:
        """Note a chord's ``size``, ``body`` or ``layout``; ids of calls that are owed by it."""
        return self._database.transact(
            lambda connection: write_down(connection, expect_chord(connection, chord_id, **known))
        )


def add_canvases(connection: Connection, canvases_of: Mapping[str, Canvas]) -> None:
    """Keep what is to follow jobs that were just adopted, by their ids."""
    rows = [{"job_id": job_id, "detail": one.dump()} for job_id, one in canvases_of.items()]
    connection.execute(insert(canvases), rows)
    bodies = {one.group: one.chord for one in canvases_of.values() if one.group is not None}
    for group in sorted(bodies.keys() - with_body(connection, list(bodies))):
        write_down(connection, expect_chord(connection, group, body=bodies[group]))


def end_canvases(connection: Connection, ended: Sequence[Row[Any]]) -> None:
    """Write down what follows from the ends of jobs that have a canvas."""
    details: dict[str, str] = {}
    ids = [row.id for row in ended]
    for start in range(0, len(ids), _PAGE):
        query = select(canvases).where(canvases.c.job_id.in_(ids[start : start + _PAGE]))
        details |= {row.job_id: row.detail for row in connection.execute(query)}
    following = Following()
    for row in ended:
        canvas = Canvas.load(details[row.id])
        if row.state == JobState.SUCCEEDED:
            outputs = orjson.loads(row.result)["outputs"]
            output = outputs[0] if canvas.single else outputs
            following.add(after_success(canvas, row.id, output))
        else:
            following.add(after_failure(canvas, row.id, failure_of(row.state, row.error)))
    write_down(connection, following)


def write_down(connection: Connection, following: Following) -> list[str]:
    """Store owed calls and tasks that never run, count chord parts, and so on with what ends.

    Returns:
        Ids of the calls, which :class:`FollowUpStore` hands out to be sent.
    """
    calls, never = list(following.calls), dict(following.never)
    while following.parts:
        following = count_parts(connection, following.parts)
        calls += following.calls
        never |= following.never
    if never:
        put_failures(connection, never)
    if not calls:
        return []
    clock = connection.execute(select(now())).scalar_one()
    rows: list[dict[str, Any]] = [
        {
            "id": new_id("follow"),
            "call": orjson.dumps(asdict(call)).decode(),
            "attempts": 0,
            "next_at": clock,
        }
        for call in calls
    ]
    connection.execute(insert(follow_ups), rows)
    return [row["id"] for row in rows]


def failure_of(state: str, error: str | None) -> Failure:
    """How Celery's readers see the end of a job that did not succeed.

    >>> failure_of("failed", '{"code":"model_error","message":"no luck"}')["exc_message"]
    ['model_error: no luck']
    >>> failure_of("cancelled", None)["exc_type"]
    'TaskRevokedError'
    """
    said = (
        {"code": state, "message": f"the job was {state}"} if error is None else orjson.loads(error)
    )
    revoked = state in (JobState.CANCELLED, JobState.EXPIRED)
    return {
        "exc_type": "TaskRevokedError" if revoked else "JobFailed",
        "exc_message": [f"{said['code']}: {said['message']}"],
        "exc_module": "celery.exceptions" if revoked else _FAILED_MODULE,
    }
