"""Corpora: named collections of documents, and what workers make of these to find them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_DELETED = "deleted_at IS NOT NULL"
_PENDING = "indexed < version"


def upgrade() -> None:
    op.create_table(
        "corpora",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.Column("documents", sa.BigInteger(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("deleted_at", sa.Double(), nullable=True),
    )
    op.create_index("uq_corpora_name", "corpora", ["tenant", "name"], unique=True)
    op.create_index("ix_corpora_tenant", "corpora", ["tenant", "created_at", "id"])
    op.create_index(
        "ix_corpora_deleted",
        "corpora",
        ["deleted_at"],
        sqlite_where=sa.text(_DELETED),
        postgresql_where=sa.text(_DELETED),
    )
    op.create_table(
        "corpus_documents",
        sa.Column("corpus_id", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
    )
    op.create_index(
        "uq_corpus_documents_id", "corpus_documents", ["corpus_id", "document_id"], unique=True
    )
    op.create_table(
        "corpus_features",
        sa.Column("corpus_id", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "corpus_segments",
        sa.Column("corpus_id", sa.String(), primary_key=True),
        sa.Column("segment", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("indexed", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
    )
    op.create_index(
        "ix_corpus_segments_pending",
        "corpus_segments",
        ["corpus_id"],
        sqlite_where=sa.text(_PENDING),
        postgresql_where=sa.text(_PENDING),
    )


def downgrade() -> None:
    for table in ("corpus_segments", "corpus_features", "corpus_documents", "corpora"):
        op.drop_table(table)
