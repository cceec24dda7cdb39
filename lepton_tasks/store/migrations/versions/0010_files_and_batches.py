"""Uploaded files, and the batches that batch runners make of them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_EXPIRES = "expires_at IS NOT NULL"
_OPEN = "state IN ('validating', 'in_progress', 'finalizing', 'cancelling') AND endpoint != ''"
_READS = "input_file_id IS NOT NULL"
_ADDED: tuple[tuple[str, Any, str | None], ...] = (
    ("endpoint", sa.String(), ""),
    ("model", sa.String(), None),
    ("input_file_id", sa.String(), None),
    ("output_file_id", sa.String(), None),
    ("error_file_id", sa.String(), None),
    ("completion_window", sa.String(), None),
    ("output_seconds", sa.Double(), None),
    ("expires_at", sa.Double(), None),
    ("in_progress_at", sa.Double(), None),
    ("finalizing_at", sa.Double(), None),
    ("cancelling_at", sa.Double(), None),
    ("errors", sa.Text(), None),
    ("usage", sa.Text(), None),
    ("total_lines", sa.Integer(), "0"),
    ("completed_lines", sa.Integer(), "0"),
    ("failed_lines", sa.Integer(), "0"),
    ("output_bytes", sa.BigInteger(), "0"),
    ("error_bytes", sa.BigInteger(), "0"),
    ("idempotency_key", sa.String(), None),
    ("body_hash", sa.String(), None),
    ("runner", sa.String(), None),
    ("runner_until", sa.Double(), None),
    ("runner_fence", sa.BigInteger(), "0"),
)


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=True),
    )
    op.create_index("ix_files_tenant", "files", ["tenant", "created_at", "id"])
    op.create_index(
        "ix_files_expiry",
        "files",
        ["expires_at"],
        sqlite_where=sa.text(_EXPIRES),
        postgresql_where=sa.text(_EXPIRES),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("mime_type", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=True),
        sa.Column("file_seconds", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_uploads_tenant", "uploads", ["tenant"])
    op.create_index("ix_uploads_expiry", "uploads", ["expires_at"])
    op.create_table(
        "upload_parts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("upload_id", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_upload_parts_upload", "upload_parts", ["upload_id"])
    with op.batch_alter_table("batches") as batches:
        for name, kind, default in _ADDED:
            batches.add_column(
                sa.Column(name, kind, nullable=default is None, server_default=default)
            )
        batches.create_unique_constraint("uq_batches_idempotency", ["tenant", "idempotency_key"])
    op.create_index(
        "ix_batches_input",
        "batches",
        ["input_file_id"],
        sqlite_where=sa.text(_READS),
        postgresql_where=sa.text(_READS),
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["runner_until"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )


def downgrade() -> None:
    op.drop_index("ix_batches_open", "batches")
    op.drop_index("ix_batches_input", "batches")
    with op.batch_alter_table("batches") as batches:
        batches.drop_constraint("uq_batches_idempotency", type_="unique")
        for name, _, _ in reversed(_ADDED):
            batches.drop_column(name)
    op.drop_table("upload_parts")
    op.drop_table("uploads")
    op.drop_table("files")
