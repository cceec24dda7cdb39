"""The table of bulk files. Times are Unix seconds on the database's own clock."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Double, Index, Integer, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

_OPEN = "state IN ('validating', 'in_progress', 'finalizing', 'cancelling') AND endpoint != ''"
_READS = "input_file_id IS NOT NULL"


def _time() -> Any:
    return Column(Double, nullable=True)


class BatchRow(SQLModel, table=True):
    """A bulk file: counts move as its shards finish; sealed once its last line is in.

    ``endpoint`` is empty where its file is read and written by a command of its tenant's;
    else the file was uploaded and a *batch runner* reads it, and the columns from there on are
    of such a batch alone.
    """

    __tablename__: ClassVar[Any] = "batches"
    __table_args__ = (
        UniqueConstraint("tenant", "idempotency_key", name="uq_batches_idempotency"),
        Index("ix_batches_tenant_created", "tenant", "created_at", "id"),
        Index(
            "ix_batches_input",
            "input_file_id",
            sqlite_where=text(_READS),
            postgresql_where=text(_READS),
        ),
        Index(
            "ix_batches_open",
            "runner_until",
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
    )

    id: str = Field(primary_key=True)
    tenant: str
    task: str
    priority: str
    state: str
    source: str
    sealed: bool = False
    total_items: int = 0
    done_items: int = 0
    failed_items: int = 0
    webhook: str | None = None
    metadata_json: str = Field(default="{}", sa_column=Column("metadata", Text, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    finished_at: float | None = Field(default=None, sa_column=_time())

    endpoint: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Path that each line asks, such as ``/v1/moderations``."""
    model: str | None = None
    """The model that all lines name; NULL where they name none or several."""
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str | None = None
    """As it was asked for, ``24h``."""
    output_seconds: float | None = Field(default=None, sa_column=_time())
    """How long the files that it makes are kept; NULL for as long as any."""
    expires_at: float | None = Field(default=None, sa_column=_time())
    """Its deadline."""
    in_progress_at: float | None = Field(default=None, sa_column=_time())
    finalizing_at: float | None = Field(default=None, sa_column=_time())
    cancelling_at: float | None = Field(default=None, sa_column=_time())
    errors: str | None = Field(default=None, sa_column=Column(Text))
    """JSON list of what was wrong with its file, where it was refused."""
    usage: str | None = Field(default=None, sa_column=Column(Text))
    """JSON of the tokens that its lines took."""
    total_lines: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default="0")
    )
    completed_lines: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default="0")
    )
    failed_lines: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default="0")
    )
    output_bytes: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    """How much of its output file is durable and never changes: readers may have it."""
    error_bytes: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    """The same of its error file."""
    idempotency_key: str | None = None
    body_hash: str | None = None
    runner: str | None = None
    """Who runs it, until when if nothing is heard of them, and the token of their right to."""
    runner_until: float | None = Field(default=None, sa_column=_time())
    runner_fence: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
