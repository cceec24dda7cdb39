"""How far jobs of minutes to hours have come, as their workers last said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    String,
    Text,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel

from lepton_tasks.jobs import ClaimedJob
from lepton_tasks.states import JobState
from lepton_tasks.store.database import Database, now
from lepton_tasks.store.tables import JobRow


class JobProgressRow(SQLModel, table=True):
    """What a worker last said of a long job; it is deleted with its job."""

    __tablename__: ClassVar[Any] = "job_progress"

    job_id: str = Field(
        sa_column=Column(String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    )
    fence: int = Field(sa_column=Column(BigInteger, nullable=False))
    """That of the claim under which it was said."""
    updated_at: float = Field(sa_column=Column(Double, nullable=False))
    detail: str = Field(sa_column=Column(Text, nullable=False))
    """A JSON object of plain figures and words; nothing of a job's texts."""


jobs = JobRow.__table__  # type: ignore[attr-defined]
progress = JobProgressRow.__table__  # type: ignore[attr-defined]


class ProgressStore:
    """One row a job, written by the worker that owns it and by nobody else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def say(self, claim: ClaimedJob, detail: Mapping[str, Any]) -> bool:
        """Store how far a claimed job has come; False where it has another owner by now.

        The disk is not waited for: what a power cut undoes is said again.
        """
        mine = (
            jobs.c.id == claim.id,
            jobs.c.fence == claim.fence,
            jobs.c.claim_id == claim.claim_id,
            jobs.c.state == JobState.RUNNING,
        )
        said = literal(orjson.dumps(dict(detail)).decode(), String)
        values = select(jobs.c.id, jobs.c.fence, now(), said).where(*mine)
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        names = ["job_id", "fence", "updated_at", "detail"]
        # SQLite reads `ON` behind a bare select as a join's.
        added = dialect.insert(progress).from_select(names, values.where(text("true")))
        statement = added.on_conflict_do_update(
            index_elements=["job_id"],
            set_={name: added.excluded[name] for name in names[1:]},
            where=progress.c.fence <= added.excluded.fence,
        ).returning(progress.c.job_id)
        return self._database.transact(
            lambda connection: connection.execute(statement).first() is not None, durable=False
        )

    def open(self, job_ids: Sequence[str]) -> set[str]:
        """Those of ``job_ids`` whose jobs exist and have not ended."""
        open_states = [JobState.QUEUED, JobState.RUNNING, JobState.SUSPECT]
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.state.in_(open_states))
            ).all()
        return {row.id for row in rows}
