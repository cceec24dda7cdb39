"""Suspects, dead letters, and what a dead worker had in work."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("suspected_at", sa.Double(), nullable=True))
    op.add_column(
        "jobs", sa.Column("solo_crashes", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("jobs", sa.Column("crashes", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("redrives", sa.Text(), nullable=True))
    op.add_column("workers", sa.Column("in_work", sa.Text(), nullable=True))
    op.create_index(
        "ix_jobs_suspect",
        "jobs",
        ["task", "solo_crashes", "suspected_at"],
        sqlite_where=sa.text("state = 'suspect'"),
        postgresql_where=sa.text("state = 'suspect'"),
    )
    op.create_index(
        "ix_jobs_dead",
        "jobs",
        ["finished_at", "id"],
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_dead", "jobs")
    op.drop_index("ix_jobs_suspect", "jobs")
    op.drop_column("workers", "in_work")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        for name in ("redrives", "crashes", "solo_crashes", "suspected_at"):
            batch_op.drop_column(name)
