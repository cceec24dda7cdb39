"""Tables of uploaded files. Times are Unix seconds on the database's own clock."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Double, Index, text
from sqlmodel import Field, SQLModel

_EXPIRES = "expires_at IS NOT NULL"


def _size() -> Any:
    return Column("bytes", BigInteger, nullable=False)


class FileRow(SQLModel, table=True):
    """A file of a tenant that is whole; its content lies in the folder of files."""

    __tablename__: ClassVar[Any] = "files"
    __table_args__ = (
        Index("ix_files_tenant", "tenant", "created_at", "id"),
        Index(
            "ix_files_expiry",
            "expires_at",
            sqlite_where=text(_EXPIRES),
            postgresql_where=text(_EXPIRES),
        ),
    )

    id: str = Field(primary_key=True)
    tenant: str
    purpose: str
    filename: str
    size: int = Field(sa_column=_size())
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    expires_at: float | None = Field(default=None, sa_column=Column(Double))


class UploadRow(SQLModel, table=True):
    """A file on its way in, part by part."""

    __tablename__: ClassVar[Any] = "uploads"
    __table_args__ = (
        Index("ix_uploads_tenant", "tenant"),
        Index("ix_uploads_expiry", "expires_at"),
    )

    id: str = Field(primary_key=True)
    tenant: str
    purpose: str
    filename: str
    mime_type: str
    size: int = Field(sa_column=_size())
    """What was announced."""
    state: str
    file_id: str | None = None
    file_seconds: float | None = Field(default=None, sa_column=Column(Double))
    """How long the file is to be kept; NULL for as long as any."""
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    expires_at: float = Field(sa_column=Column(Double, nullable=False))


class UploadPartRow(SQLModel, table=True):
    """A part of an upload that is whole."""

    __tablename__: ClassVar[Any] = "upload_parts"
    __table_args__ = (Index("ix_upload_parts_upload", "upload_id"),)

    id: str = Field(primary_key=True)
    upload_id: str
    size: int = Field(sa_column=_size())
    created_at: float = Field(sa_column=Column(Double, nullable=False))
