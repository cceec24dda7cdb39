"""The database's own witness: a trigger that notes each final write, and what a run has left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from sqlalchemy import func, select, text

from lepton_tasks.states import TERMINAL, JobState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import DeliveryRow, JobRow, WorkerRow
from tests.chaos.checker import Ending, Evidence, Loss, StoredJob
from tests.chaos.executions import read_executions
from tests.chaos.operations import read_operations

jobs = JobRow.__table__  # type: ignore[attr-defined]
workers = WorkerRow.__table__  # type: ignore[attr-defined]
deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

_FINAL: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_WITNESS: Final = {
    "sqlite": [
        "CREATE TABLE chaos_endings (seq INTEGER PRIMARY KEY, job_id TEXT, at REAL, state TEXT)",
        f"""
        CREATE TRIGGER chaos_witness AFTER UPDATE OF state ON jobs
        WHEN NEW.state IN ({_FINAL}) OR OLD.state IN ({_FINAL}) BEGIN
            INSERT INTO chaos_endings (job_id, at, state)
            VALUES (NEW.id, (julianday('now') - 2440587.5) * 86400.0, NEW.state);
        END
        """,  # noqa: S608 - the project's own names
    ],
    "postgresql": [
        "CREATE TABLE chaos_endings (seq bigserial PRIMARY KEY, job_id text,"
        " at double precision, state text)",
        """
        CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO chaos_endings (job_id, at, state)
            VALUES (NEW.id, extract(epoch from clock_timestamp()), NEW.state);
            RETURN NULL;
        END $$
        """,
        f"""
        CREATE TRIGGER chaos_witness AFTER UPDATE OF state ON jobs FOR EACH ROW
        WHEN (NEW.state IN ({_FINAL}) OR OLD.state IN ({_FINAL})) EXECUTE FUNCTION chaos_note()
        """,
    ],
}
"""It sees a final state being written over too, by the same one or by another."""


class History:
    """Asks a database, past the store's own code, what has happened in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def watch(self) -> None:
        """Put the witness in its place; once, into a database with its tables."""
        with self._database.write() as connection:
            for statement in _WITNESS[self._database.dialect]:
                connection.execute(text(statement))

    def endings(self) -> list[Ending]:
        """Final writes, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                text("SELECT job_id, at, state FROM chaos_endings ORDER BY seq")
            ).all()
        return [Ending(row.job_id, row.at, JobState(row.state)) for row in rows]

    def count_endings(self) -> int:
        """Final writes so far."""
        with self._database.read() as connection:
            return int(connection.execute(text("SELECT count(*) FROM chaos_endings")).scalar_one())

    def open_jobs(self) -> int:
        """Jobs that have not ended."""
        with self._database.read() as connection:
            query = select(func.count()).where(jobs.c.state.not_in(TERMINAL))
            return int(connection.execute(query).scalar_one())

    def crashes(self) -> int:
        """Crashes that jobs have been blamed for."""
        with self._database.read() as connection:
            query = select(func.coalesce(func.sum(jobs.c.solo_crashes), 0))
            return int(connection.execute(query).scalar_one())

    def progress(self) -> tuple[int, int, int]:
        """Open jobs, crashes and claims: while one of them changes, the work goes on."""
        columns = (jobs.c.solo_crashes, jobs.c.attempts)
        with self._database.read() as connection:
            sums = connection.execute(
                select(*(func.coalesce(func.sum(column), 0) for column in columns))
            ).one()
        return self.open_jobs(), int(sums[0]), int(sums[1])

    def held_by(self, node: str, fault: str = "") -> Loss:
        """What the worker of ``node`` holds at this moment, for ``fault`` to take."""
        with self._database.read() as connection:
            at = float(connection.execute(select(now())).scalar_one())
            held = connection.execute(
                select(jobs.c.id)
                .join(workers, workers.c.id == jobs.c.worker_id)
                .where(jobs.c.state == JobState.RUNNING, workers.c.hostname == node)
            ).scalars()
            return Loss(at, frozenset(held), fault)

    def stored(self) -> list[StoredJob]:
        """Every job as it is."""
        columns = ("id", "idempotency_key", "state", "worker_id", "result", "fence")
        with self._database.read() as connection:
            rows = connection.execute(select(*(jobs.c[name] for name in columns))).all()
        return [
            StoredJob(
                row.id,
                row.idempotency_key,
                JobState(row.state),
                row.worker_id,
                None if row.result is None else orjson.loads(row.result)["outputs"][0].get("by"),
                row.fence,
            )
            for row in rows
        ]

    def events(self) -> list[str]:
        """The job that each delivery tells of."""
        with self._database.read() as connection:
            bodies = connection.execute(select(deliveries.c.body)).scalars()
            return [orjson.loads(body)["data"]["id"] for body in bodies]

    def evidence(self, operations: Path, notes: Path, losses: Sequence[Loss]) -> Evidence:
        """All that a run has left."""
        return Evidence(
            read_operations(operations),
            self.stored(),
            self.endings(),
            read_executions(notes),
            self.events(),
            losses,
        )
