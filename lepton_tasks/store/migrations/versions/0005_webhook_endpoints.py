"""Webhook endpoints, events with a number, and more than one round of attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("events", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("header_names", sa.Text(), nullable=False),
        sa.Column("rate_limit", sa.Double(), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("secret_hint", sa.String(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_secret_until", sa.Double(), nullable=True),
        sa.Column("rotated_at", sa.Double(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("failing_since", sa.Double(), nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
    )
    op.create_index(
        "ix_webhook_endpoints_tenant", "webhook_endpoints", ["tenant", "created_at", "id"]
    )
    op.create_table(
        "event_sequences",
        sa.Column("tenant", sa.String(), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "operator_events",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
    )
    op.create_index("ix_operator_events_at", "operator_events", ["at"])
    op.add_column("deliveries", sa.Column("endpoint_id", sa.String(), nullable=True))
    op.add_column(
        "deliveries", sa.Column("event_id", sa.String(), nullable=False, server_default="")
    )
    op.execute("UPDATE deliveries SET event_id = id")
    op.add_column(
        "deliveries", sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column(
        "deliveries", sa.Column("round", sa.Integer(), nullable=False, server_default="1")
    )
    op.create_index(
        "ix_deliveries_endpoint",
        "deliveries",
        ["endpoint_id", "created_at", "id"],
        sqlite_where=sa.text("endpoint_id IS NOT NULL"),
        postgresql_where=sa.text("endpoint_id IS NOT NULL"),
    )
    _attempts_by_round()


def _attempts_by_round() -> None:
    # A new table, because SQLite cannot change a primary key.
    op.rename_table("delivery_attempts", "old_attempts")
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(), sa.ForeignKey("deliveries.id"), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint(
            "delivery_id", "round", "attempt", name="pk_delivery_attempts_round"
        ),
    )
    op.execute(
        "INSERT INTO delivery_attempts (delivery_id, round, attempt, at, seconds, status, error) "
        "SELECT delivery_id, 1, attempt, at, seconds, status, error FROM old_attempts"
    )
    op.drop_table("old_attempts")


def downgrade() -> None:
    op.drop_index("ix_deliveries_endpoint", "deliveries")
    op.rename_table("delivery_attempts", "old_attempts")
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(), sa.ForeignKey("deliveries.id"), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name="pk_delivery_attempts"),
    )
    op.execute(
        "INSERT INTO delivery_attempts SELECT delivery_id, attempt, at, seconds, status, error "
        "FROM old_attempts AS old WHERE round = "
        "(SELECT max(round) FROM old_attempts WHERE delivery_id = old.delivery_id)"
    )
    op.drop_table("old_attempts")
    for name in ("round", "sequence", "event_id", "endpoint_id"):
        op.drop_column("deliveries", name)
    op.drop_table("operator_events")
    op.drop_table("event_sequences")
    op.drop_table("webhook_endpoints")
