"""Lists that are read page by page, newest first where nothing else is said."""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy import Select, Table, tuple_


class Placed(Protocol):
    """A row of such a list: where it stands in it."""

    @property
    def created_at(self) -> float:
        """Unix seconds."""
        ...

    @property
    def id(self) -> str:
        """Its id, which tells those of one time apart."""
        ...


def newest_first(query: Select[Any], table: Table, after: Placed | None, limit: int) -> Select[Any]:
    """The ``limit`` rows of ``query`` behind ``after``, or its first where that is None."""
    place = tuple_(table.c.created_at, table.c.id)
    if after is not None:
        query = query.where(place < tuple_(after.created_at, after.id))
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)


def oldest_first(query: Select[Any], table: Table, after: Placed | None, limit: int) -> Select[Any]:
    """The same the other way round."""
    place = tuple_(table.c.created_at, table.c.id)
    if after is not None:
        query = query.where(place > tuple_(after.created_at, after.id))
    return query.order_by(table.c.created_at, table.c.id).limit(limit)
