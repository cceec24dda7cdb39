"""Tables of what follows jobs that plain Celery messages brought, and of Celery's own results.

Times are Unix seconds on the database's own clock.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, String, Text
from sqlmodel import Field, SQLModel


class CanvasRow(SQLModel, table=True):
    """What is to follow a job's end; it is deleted with its job, whose ``canvas`` is true."""

    __tablename__: ClassVar[Any] = "canvases"

    job_id: str = Field(
        sa_column=Column(String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    )
    detail: str = Field(sa_column=Column(Text, nullable=False))
    """JSON of a `lepton_tasks.canvas.canvas.Canvas`."""


class ChordRow(SQLModel, table=True):
    """A chord by the id of its header's group; the row's lock makes counting one at a time."""

    __tablename__: ClassVar[Any] = "chords"
    __table_args__ = (Index("ix_chords_created", "created_at"),)

    id: str = Field(primary_key=True)
    size: int | None = None
    """Parts of its header; NULL until its producer has said so."""
    counted: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    body: str | None = Field(default=None, sa_column=Column(Text))
    layout: str | None = Field(default=None, sa_column=Column(Text))
    """Ids of the header's results as nested lists, where a header's member is a group."""
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    ended_at: float | None = Field(default=None, sa_column=Column(Double))


class ChordPartRow(SQLModel, table=True):
    """A part of a header that has ended, kept until the chord has: once a task, by its key."""

    __tablename__: ClassVar[Any] = "chord_parts"

    chord_id: str = Field(
        sa_column=Column(String, ForeignKey("chords.id", ondelete="CASCADE"), primary_key=True)
    )
    task_id: str = Field(primary_key=True)
    place: int | None = None
    result: str | None = Field(default=None, sa_column=Column(Text))
    failure: str | None = Field(default=None, sa_column=Column(Text))


class FollowUpRow(SQLModel, table=True):
    """A call that is owed: written by the transaction it follows from, deleted once it is sent."""

    __tablename__: ClassVar[Any] = "follow_ups"
    __table_args__ = (Index("ix_follow_ups_next", "next_at", "id"),)

    id: str = Field(primary_key=True)
    call: str = Field(sa_column=Column(Text, nullable=False))
    """JSON of a `lepton_tasks.canvas.following.Call`."""
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    """How often somebody has taken it; the token of the right to delete it."""
    next_at: float = Field(sa_column=Column(Double, nullable=False))


class TaskResultRow(SQLModel, table=True):
    """The result of a Celery task that is no job of ours, or that will never be one."""

    __tablename__: ClassVar[Any] = "task_results"
    __table_args__ = (Index("ix_task_results_stored", "stored_at"),)

    id: str = Field(primary_key=True)
    status: str
    meta: str = Field(sa_column=Column(Text, nullable=False))
    """What Celery's backends call so, as JSON in Celery's own encoding."""
    stored_at: float = Field(sa_column=Column(Double, nullable=False))


class TaskGroupRow(SQLModel, table=True):
    """A ``GroupResult`` that was saved."""

    __tablename__: ClassVar[Any] = "task_groups"
    __table_args__ = (Index("ix_task_groups_stored", "stored_at"),)

    id: str = Field(primary_key=True)
    tree: str = Field(sa_column=Column(Text, nullable=False))
    """JSON of its ``as_tuple``."""
    stored_at: float = Field(sa_column=Column(Double, nullable=False))
