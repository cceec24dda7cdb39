"""Conversations: dialogues whose turns are jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_EXPIRES = "expires_at IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("turns", sa.Integer(), nullable=False),
        sa.Column("expires_after", sa.Double(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_conversations_tenant", "conversations", ["tenant", "created_at", "id"])
    op.create_index(
        "ix_conversations_expiry",
        "conversations",
        ["expires_at"],
        sqlite_where=sa.text(_EXPIRES),
        postgresql_where=sa.text(_EXPIRES),
    )
    op.create_table(
        "conversation_turns",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("conversation_id", sa.String(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("system", sa.Text(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    op.create_index("ix_conversation_turns_job", "conversation_turns", ["job_id"], unique=True)
    op.add_column("jobs", sa.Column("conversation_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "conversation_id")
    op.drop_table("conversation_turns")
    op.drop_table("conversations")
