"""Tables of corpora: named collections of documents. Times are Unix seconds."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel


def _count() -> Any:
    return Column(BigInteger, nullable=False)


def _time(nullable: bool = False) -> Any:
    return Column(Double, nullable=nullable)


class CorpusRow(SQLModel, table=True):
    """A tenant's corpus; ``version`` rises with every change of its documents.

    One that was deleted (``deleted_at``) is called by its id until its documents are gone.
    """

    __tablename__: ClassVar[Any] = "corpora"
    __table_args__ = (
        Index("uq_corpora_name", "tenant", "name", unique=True),
        Index("ix_corpora_tenant", "tenant", "created_at", "id"),
        Index(
            "ix_corpora_deleted",
            "deleted_at",
            sqlite_where=text("deleted_at IS NOT NULL"),
            postgresql_where=text("deleted_at IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    tenant: str
    name: str
    version: int = Field(sa_column=_count())
    next_number: int = Field(sa_column=_count())
    documents: int = Field(sa_column=_count())
    characters: int = Field(sa_column=_count())
    created_at: float = Field(sa_column=_time())
    updated_at: float = Field(sa_column=_time())
    deleted_at: float | None = Field(default=None, sa_column=_time(nullable=True))


class DocumentRow(SQLModel, table=True):
    """A document. One that replaces another gets a ``number`` of its own, never used before."""

    __tablename__: ClassVar[Any] = "corpus_documents"
    __table_args__ = (Index("uq_corpus_documents_id", "corpus_id", "document_id", unique=True),)

    corpus_id: str = Field(primary_key=True)
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    document_id: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    metadata_json: str = Field(sa_column=Column("metadata", Text, nullable=False))
    fingerprint: str
    """Hash of text and metadata: what is sent again unchanged is known by it."""
    characters: int
    created_at: float = Field(sa_column=_time())
    updated_at: float = Field(sa_column=_time())


class CorpusFeaturesRow(SQLModel, table=True):
    """What a worker made of a document to find it again; it goes with the document."""

    __tablename__: ClassVar[Any] = "corpus_features"

    corpus_id: str = Field(primary_key=True)
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: int
    """Which version of the features it is; another one is made anew."""
    features: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class CorpusSegmentRow(SQLModel, table=True):
    """Documents of neighbouring numbers: the corpus's version at their last change.

    Up to the version ``indexed`` each of them has its features, of ``kind``.
    """

    __tablename__: ClassVar[Any] = "corpus_segments"
    __table_args__ = (
        Index(
            "ix_corpus_segments_pending",
            "corpus_id",
            sqlite_where=text("indexed < version"),
            postgresql_where=text("indexed < version"),
        ),
    )

    corpus_id: str = Field(primary_key=True)
    segment: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    version: int = Field(sa_column=_count())
    indexed: int = Field(sa_column=_count())
    kind: int
