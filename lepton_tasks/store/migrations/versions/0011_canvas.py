"""What follows jobs that plain Celery messages brought, chords, and Celery's own results."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("canvas", sa.Boolean(), nullable=True))
    op.create_table(
        "canvases",
        sa.Column(
            "job_id", sa.String(), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("detail", sa.Text(), nullable=False),
    )
    op.create_table(
        "chords",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("layout", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
    )
    op.create_index("ix_chords_created", "chords", ["created_at"])
    op.create_table(
        "chord_parts",
        sa.Column(
            "chord_id",
            sa.String(),
            sa.ForeignKey("chords.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("task_id", sa.String(), primary_key=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
    )
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_follow_ups_next", "follow_ups", ["next_at", "id"])
    op.create_table(
        "task_results",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("meta", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_task_results_stored", "task_results", ["stored_at"])
    op.create_table(
        "task_groups",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.Column("stored_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_task_groups_stored", "task_groups", ["stored_at"])


def downgrade() -> None:
    for table in (
        "task_groups",
        "task_results",
        "follow_ups",
        "chord_parts",
        "chords",
        "canvases",
    ):
        op.drop_table(table)
    op.drop_column("jobs", "canvas")
