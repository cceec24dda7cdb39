"""Tables of conversations. Times are Unix seconds on the database's own clock."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Column, Double, Index, Text, text
from sqlmodel import Field, SQLModel


class ConversationRow(SQLModel, table=True):
    """A dialogue of a tenant, whose ids are its own: two tenants may have the same."""

    __tablename__: ClassVar[Any] = "conversations"
    __table_args__ = (
        Index("ix_conversations_tenant", "tenant", "created_at", "id"),
        Index(
            "ix_conversations_expiry",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    tenant: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    turns: int
    """How many it has had; the number of the next one."""
    expires_after: float | None = Field(default=None, sa_column=Column(Double))
    """Seconds that it is kept without a turn; NULL for ever."""
    expires_at: float | None = Field(default=None, sa_column=Column(Double))
    """NULL too while a turn is not done."""
    metadata_json: str = Field(default="{}", sa_column=Column("metadata", Text, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))


class TurnRow(SQLModel, table=True):
    """What the user said, and what was answered once its job has succeeded."""

    __tablename__: ClassVar[Any] = "conversation_turns"
    __table_args__ = (Index("ix_conversation_turns_job", "job_id", unique=True),)

    tenant: str = Field(primary_key=True)
    conversation_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    job_id: str
    """The job may be deleted before the turn: the texts here are the turn's own."""
    system: str | None = Field(default=None, sa_column=Column(Text))
    said: str = Field(sa_column=Column(Text, nullable=False))
    answer: str | None = Field(default=None, sa_column=Column(Text))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
