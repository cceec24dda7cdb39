"""Chords: the parts of a header are counted, each once, in the transaction that ends them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.canvas.following import (
    Failure,
    Following,
    Part,
    after_chord,
    after_chord_failure,
    chord_failure,
)
from lepton_tasks.canvas.signatures import Signature
from lepton_tasks.store.canvas_tables import ChordPartRow, ChordRow
from lepton_tasks.store.database import now

chords = ChordRow.__table__  # type: ignore[attr-defined]
parts = ChordPartRow.__table__  # type: ignore[attr-defined]

MAX_RESULTS: Final = 32 << 20
"""Most characters of JSON that the results of a header may have: the body's message holds them."""
_PAGE: Final = 500
_SEEN = [chords.c[name] for name in ("id", "size", "counted", "body", "layout", "ended_at")]


def with_body(connection: Connection, chord_ids: Sequence[str]) -> set[str]:
    """Those of some chords whose body is known, or was called; looks without a lock."""
    found: set[str] = set()
    known = or_(chords.c.body.is_not(None), chords.c.ended_at.is_not(None))
    for start in range(0, len(chord_ids), _PAGE):
        page = chords.c.id.in_(chord_ids[start : start + _PAGE])
        found.update(connection.execute(select(chords.c.id).where(page, known)).scalars())
    return found


def expect_chord(
    connection: Connection,
    chord_id: str,
    *,
    size: int | None = None,
    body: Signature | None = None,
    layout: Sequence[Any] | None = None,
) -> Following:
    """Note what is known of a chord; returns what follows where its last part had come before."""
    row = _lock(connection, chord_id, size, body, layout)
    return Following() if row.ended_at is not None else _end(connection, row)


def count_parts(connection: Connection, ended: Sequence[Part]) -> Following:
    """Count ended parts; returns what follows where one was a chord's last.

    A task that was counted before is not counted again, nor is one of a chord that has
    ended. Chords are locked in the order of their ids, so that no two workers can deadlock.
    """
    by_chord: defaultdict[str, list[Part]] = defaultdict(list)
    for part in ended:
        by_chord[part.chord].append(part)
    following = Following()
    for chord_id in sorted(by_chord):
        mine = by_chord[chord_id]
        body = next((part.body for part in mine if part.body is not None), None)
        row = _lock(connection, chord_id, None, body, None)
        if row.ended_at is None and (fresh := _insert(connection, mine)):
            counted = connection.execute(
                update(chords)
                .where(chords.c.id == chord_id)
                .values(counted=chords.c.counted + fresh)
                .returning(*_SEEN)
            ).one()
            following.add(_end(connection, counted))
    return following


def _lock(
    connection: Connection,
    chord_id: str,
    size: int | None,
    body: Signature | None,
    layout: Sequence[Any] | None,
) -> Row[Any]:
    """The chord's row, made where there was none; nobody else has it until the commit."""
    given = {
        "size": size,
        "body": None if body is None else orjson.dumps(body).decode(),
        "layout": None if layout is None else orjson.dumps(layout).decode(),
    }
    insert = _insert_into(connection)(chords).values(
        id=chord_id, counted=0, created_at=select(now()).scalar_subquery(), **given
    )
    return connection.execute(
        insert.on_conflict_do_update(
            index_elements=["id"],
            set_={
                name: func.coalesce(insert.excluded[name], chords.c[name])
                if name == "size"
                else func.coalesce(chords.c[name], insert.excluded[name])
                for name in given
            },
        ).returning(*_SEEN)
    ).one()


def _insert(connection: Connection, mine: Sequence[Part]) -> int:
    rows = {
        part.task_id: {
            "chord_id": part.chord,
            "task_id": part.task_id,
            "place": part.index,
            "result": None if part.failure else orjson.dumps(part.result).decode(),
            "failure": None if part.failure is None else orjson.dumps(part.failure).decode(),
        }
        for part in mine
    }
    statement = _adding(connection.dialect.name)
    return len(connection.execute(statement, list(rows.values())).all())


@cache
def _adding(dialect: str) -> Any:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    once = insert(parts).on_conflict_do_nothing(index_elements=["chord_id", "task_id"])
    return once.returning(parts.c.task_id)


def _end(connection: Connection, row: Row[Any]) -> Following:
    """End a chord that is complete: its body is called, or fails with the first failed part."""
    if row.size is None or row.counted < row.size or row.body is None:
        return Following()
    body: Signature = orjson.loads(row.body)
    size = int(
        connection.execute(
            select(func.coalesce(func.sum(func.length(parts.c.result)), 0)).where(
                parts.c.chord_id == row.id
            )
        ).scalar_one()
    )
    if size > MAX_RESULTS:
        _close(connection, row.id)
        return after_chord_failure(body, _too_large(size))
    ended = connection.execute(
        select(parts.c.task_id, parts.c.place, parts.c.result, parts.c.failure)
        .where(parts.c.chord_id == row.id)
        .order_by(parts.c.place.is_(None), parts.c.place, parts.c.task_id)
    ).all()
    _close(connection, row.id)
    for part in ended:
        if part.failure is not None:
            failure = chord_failure(part.task_id, orjson.loads(part.failure))
            return after_chord_failure(body, failure)
    if row.layout is None:
        return after_chord(body, [orjson.loads(part.result) for part in ended])
    results = {part.task_id: orjson.loads(part.result) for part in ended}
    return after_chord(body, [_laid_out(one, results) for one in orjson.loads(row.layout)])


def _close(connection: Connection, chord_id: str) -> None:
    connection.execute(delete(parts).where(parts.c.chord_id == chord_id))
    connection.execute(
        update(chords).where(chords.c.id == chord_id).values(ended_at=now(), body=None, layout=None)
    )


def _too_large(size: int) -> Failure:
    return {
        "exc_type": "ChordError",
        "exc_message": [
            f"the results of the header have {size:,} characters, and {MAX_RESULTS:,} are "
            "allowed; have the body fetch them by their ids"
        ],
        "exc_module": "celery.exceptions",
    }


def _laid_out(place: Any, results: Mapping[str, Any]) -> Any:
    if isinstance(place, list):
        return [_laid_out(one, results) for one in place]
    return results.get(place)


def _insert_into(connection: Connection) -> Callable[..., Any]:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
