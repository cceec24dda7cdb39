"""How a database would run the statements that a test makes: by an index or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from lepton_tasks.store.store import Store


@contextmanager
def scans(store: Store, table: str) -> Iterator[list[str]]:
    """Within the block, collect plans that read all of ``table``; read the list after it.

    PostgreSQL is told that reading a whole table is dear, for the tables of tests are small.
    """
    found: list[str] = []
    made: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        made.append((statement, parameters))

    event.listen(store.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(store.database.engine, "before_cursor_execute", note)
    with store.database.read() as connection:
        for statement, parameters in made:
            if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                found += _scans(connection, statement, parameters, table)


def _scans(connection: Connection, statement: str, parameters: Any, table: str) -> list[str]:
    if connection.dialect.name == "sqlite":
        explain, scan = "EXPLAIN QUERY PLAN", f"SCAN {table}"
    else:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain, scan = "EXPLAIN", f"Seq Scan on {table}"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    lines = [str(row[-1]) for row in rows]
    whole = [line for line in lines if scan in line and "INDEX" not in line]
    return [f"{statement}: {line}" for line in whole]
