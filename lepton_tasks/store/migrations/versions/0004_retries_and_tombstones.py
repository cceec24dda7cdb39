"""Retries of jobs, and what is left of jobs that were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "tombstones",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("body_hash", sa.String(), nullable=True),
        sa.Column("deleted_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tombstones_key", "tombstones", ["tenant", "idempotency_key"])
    op.create_index("ix_tombstones_deleted_at", "tombstones", ["deleted_at"])


def downgrade() -> None:
    op.drop_table("tombstones")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("retries")
