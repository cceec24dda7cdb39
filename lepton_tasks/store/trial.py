"""Whether rows can be written: found out by writing one."""

from __future__ import annotations

from typing import Final

from sqlalchemy.dialects import postgresql, sqlite

from lepton_tasks.ids import new_id
from lepton_tasks.store.database import Database
from lepton_tasks.store.tables import MarkerRow

markers = MarkerRow.__table__  # type: ignore[attr-defined]

_NAME: Final = "written on trial"


def try_writing(database: Database) -> None:
    """Write one row, the same each time and another value: a few pages, no wait for the disk.

    A statement that changes nothing would tell nothing of a full disk.

    Raises:
        StoreUnavailable: the database cannot be reached, is read-only or has no room.
        DBAPIError: it is busy.
    """
    dialect = postgresql if database.dialect == "postgresql" else sqlite
    value = new_id("trial")
    row = dialect.insert(markers).values(name=_NAME, value=value)
    with database.write(durable=False) as connection:
        connection.execute(
            row.on_conflict_do_update(index_elements=["name"], set_={"value": value})
        )
