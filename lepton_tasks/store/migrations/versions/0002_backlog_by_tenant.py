"""Queued jobs are found by tenant: those that wait for their turn, and those in Redis."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_jobs_queued", table_name="jobs")
    op.create_index(
        "ix_jobs_unpublished",
        "jobs",
        ["task", "priority", "tenant", "run_after", "id"],
        sqlite_where=sa.text("state = 'queued' AND published_at IS NULL"),
        postgresql_where=sa.text("state = 'queued' AND published_at IS NULL"),
    )
    op.create_index(
        "ix_jobs_published",
        "jobs",
        ["task", "priority", "tenant", "published_at"],
        sqlite_where=sa.text("state = 'queued' AND published_at IS NOT NULL"),
        postgresql_where=sa.text("state = 'queued' AND published_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_published", table_name="jobs")
    op.drop_index("ix_jobs_unpublished", table_name="jobs")
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["task", "priority", "published_at", "run_after"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
