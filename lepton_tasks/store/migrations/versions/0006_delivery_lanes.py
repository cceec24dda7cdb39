"""Indexes of webhook deliveries: by lane what is open, by time what has ended."""

import sqlalchemy as sa
from alembic import op

from lepton_tasks.store.delivery_lanes import lane_of

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OPEN = "state IN ('pending', 'sending')"
_FINISHED = "finished_at IS NOT NULL"


def upgrade() -> None:
    # What has ended keeps an empty lane: nothing asks for it.
    op.add_column("deliveries", sa.Column("lane", sa.String(), nullable=False, server_default=""))
    connection = op.get_bind()
    query = sa.text(f"SELECT id, endpoint_id, url FROM deliveries WHERE {_OPEN}")  # noqa: S608
    rows = connection.execute(query).all()
    for row in rows:
        connection.execute(
            sa.text("UPDATE deliveries SET lane = :lane WHERE id = :id"),
            {"lane": lane_of(row.endpoint_id, row.url), "id": row.id},
        )
    op.create_index(
        "ix_deliveries_lane",
        "deliveries",
        ["lane", "next_at"],
        sqlite_where=sa.text(_OPEN),
        postgresql_where=sa.text(_OPEN),
    )
    op.create_index(
        "ix_deliveries_finished",
        "deliveries",
        ["finished_at"],
        sqlite_where=sa.text(_FINISHED),
        postgresql_where=sa.text(_FINISHED),
    )
    # Claims go by lanes now, and SQLite would rather sort what this one finds.
    op.drop_index("ix_deliveries_due", "deliveries")


def downgrade() -> None:
    op.create_index("ix_deliveries_due", "deliveries", ["state", "next_at"])
    op.drop_index("ix_deliveries_finished", "deliveries")
    op.drop_index("ix_deliveries_lane", "deliveries")
    # Not in a batch: SQLite would drop the table, to which attempts refer.
    op.drop_column("deliveries", "lane")
