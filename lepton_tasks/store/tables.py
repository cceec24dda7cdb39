"""Tables of the store. Times are Unix seconds on the database's own clock."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


def _time(nullable: bool = True, index: bool = False) -> Any:
    return Column(Double, nullable=nullable, index=index)


class JobRow(SQLModel, table=True):
    """One job; the row is its own outbox (``published_at``) and its own result."""

    __tablename__: ClassVar[Any] = "jobs"
    __table_args__ = (
        UniqueConstraint("tenant", "idempotency_key", name="uq_jobs_idempotency"),
        Index("ix_jobs_tenant_created", "tenant", "created_at", "id"),
        # A queued job is in one of these two: in the backlog, or in Redis and few.
        Index(
            "ix_jobs_unpublished",
            "task",
            "priority",
            "tenant",
            "run_after",
            "id",
            sqlite_where=text("state = 'queued' AND published_at IS NULL"),
            postgresql_where=text("state = 'queued' AND published_at IS NULL"),
        ),
        Index(
            "ix_jobs_published",
            "task",
            "priority",
            "tenant",
            "published_at",
            sqlite_where=text("state = 'queued' AND published_at IS NOT NULL"),
            postgresql_where=text("state = 'queued' AND published_at IS NOT NULL"),
        ),
        Index(
            "ix_jobs_deadline",
            "deadline",
            sqlite_where=text("state = 'queued' AND deadline IS NOT NULL"),
            postgresql_where=text("state = 'queued' AND deadline IS NOT NULL"),
        ),
        Index(
            "ix_jobs_running",
            "worker_id",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        Index(
            "ix_jobs_suspect",
            "task",
            "solo_crashes",
            "suspected_at",
            sqlite_where=text("state = 'suspect'"),
            postgresql_where=text("state = 'suspect'"),
        ),
        Index(
            "ix_jobs_dead",
            "finished_at",
            "id",
            sqlite_where=text("state = 'dead'"),
            postgresql_where=text("state = 'dead'"),
        ),
        Index(
            "ix_jobs_batch",
            "batch_id",
            "ordinal",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    tenant: str
    task: str
    priority: str
    state: str
    payload: str = Field(sa_column=Column(Text, nullable=False))
    single: bool
    items: int
    cost: int
    result: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))
    attempts: int = 0
    fence: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    claim_id: str | None = None
    worker_id: str | None = None
    cancel_requested: bool = False
    run_after: float = Field(sa_column=_time(nullable=False))
    deadline: float | None = Field(default=None, sa_column=_time())
    created_at: float = Field(sa_column=_time(nullable=False))
    published_at: float | None = Field(default=None, sa_column=_time())
    started_at: float | None = Field(default=None, sa_column=_time())
    finished_at: float | None = Field(default=None, sa_column=_time())
    idempotency_key: str | None = None
    body_hash: str | None = None
    batch_id: str | None = None
    ordinal: int | None = None
    conversation_id: str | None = None
    """Conversation of its tenant that it is a turn of."""
    webhook: str | None = None
    metadata_json: str = Field(default="{}", sa_column=Column("metadata", Text, nullable=False))
    suspected_at: float | None = Field(default=None, sa_column=_time())
    """When it was first in work on a worker that died; from then on it runs alone."""
    solo_crashes: int = Field(
        default=0, sa_column=Column(Integer, nullable=False, server_default="0")
    )
    crashes: str | None = Field(default=None, sa_column=Column(Text))
    redrives: str | None = Field(default=None, sa_column=Column(Text))
    retries: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """How often it was put back because its failure might pass."""
    canvas: bool | None = None
    """True where something is to follow its end (`lepton_tasks/store/canvases.py`), else NULL."""


class TombstoneRow(SQLModel, table=True):
    """A job that was deleted: enough to know it again, and nothing of its texts."""

    __tablename__: ClassVar[Any] = "tombstones"
    __table_args__ = (Index("ix_tombstones_key", "tenant", "idempotency_key"),)

    id: str = Field(primary_key=True)
    tenant: str
    idempotency_key: str | None = None
    body_hash: str | None = None
    deleted_at: float = Field(sa_column=_time(nullable=False, index=True))


class WorkerRow(SQLModel, table=True):
    """A model process and its lease: one lease covers all it runs.

    ``in_work`` is what its supervisor found it at when it died, NULL where nobody looked.
    """

    __tablename__: ClassVar[Any] = "workers"

    id: str = Field(primary_key=True)
    hostname: str
    tasks: str
    started_at: float = Field(sa_column=_time(nullable=False))
    lease_until: float = Field(sa_column=_time(nullable=False, index=True))
    in_work: str | None = Field(default=None, sa_column=Column(Text))


class EndpointRow(SQLModel, table=True):
    """A tenant's subscription to events. What is secret in it is sealed."""

    __tablename__: ClassVar[Any] = "webhook_endpoints"
    __table_args__ = (Index("ix_webhook_endpoints_tenant", "tenant", "created_at", "id"),)

    id: str = Field(primary_key=True)
    tenant: str
    url: str
    name: str = ""
    description: str = ""
    events: str | None = Field(default=None, sa_column=Column(Text))
    """JSON list of the event types it wants; NULL for the ordinary ones."""
    headers: str | None = Field(default=None, sa_column=Column(Text))
    """Sealed JSON of the headers that its tenant adds to each request."""
    header_names: str = Field(default="[]", sa_column=Column(Text, nullable=False))
    rate_limit: float | None = Field(default=None, sa_column=Column(Double))
    """Most requests a second; NULL for any."""
    secret: str = Field(sa_column=Column(Text, nullable=False))
    secret_hint: str
    old_secret: str | None = Field(default=None, sa_column=Column(Text))
    old_secret_until: float | None = Field(default=None, sa_column=_time())
    """The secret before the last rotation, and until when it signs too."""
    rotated_at: float | None = Field(default=None, sa_column=_time())
    state: str
    failing_since: float | None = Field(default=None, sa_column=_time())
    disabled_reason: str | None = None
    created_at: float = Field(sa_column=_time(nullable=False))
    updated_at: float = Field(sa_column=_time(nullable=False))


class EventSequenceRow(SQLModel, table=True):
    """The number of a tenant's last webhook event."""

    __tablename__: ClassVar[Any] = "event_sequences"

    tenant: str = Field(primary_key=True)
    last: int = Field(sa_column=Column(BigInteger, nullable=False))


class OperatorEventRow(SQLModel, table=True):
    """Something that an operator should know of, such as an endpoint that was disabled."""

    __tablename__: ClassVar[Any] = "operator_events"

    id: str = Field(primary_key=True)
    at: float = Field(sa_column=_time(nullable=False, index=True))
    kind: str
    tenant: str
    subject: str
    detail: str


class DeliveryRow(SQLModel, table=True):
    """One event on its way to one URL; the body is frozen when the event happens."""

    __tablename__: ClassVar[Any] = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_lane",
            "lane",
            "next_at",
            sqlite_where=text("state IN ('pending', 'sending')"),
            postgresql_where=text("state IN ('pending', 'sending')"),
        ),
        Index(
            "ix_deliveries_finished",
            "finished_at",
            sqlite_where=text("finished_at IS NOT NULL"),
            postgresql_where=text("finished_at IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_endpoint",
            "endpoint_id",
            "created_at",
            "id",
            sqlite_where=text("endpoint_id IS NOT NULL"),
            postgresql_where=text("endpoint_id IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    tenant: str = Field(index=True)
    endpoint_id: str | None = None
    """NULL where a job or batch named the URL itself."""
    event_id: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    """The same for all deliveries of an event; it goes out as ``webhook-id``."""
    sequence: int = Field(
        default=0, sa_column=Column(BigInteger, nullable=False, server_default="0")
    )
    url: str
    lane: str
    """Its endpoint, or the host of its URL: what is slow there holds up nothing else."""
    event_type: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    round: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default="1"))
    """How often it was set on its way: one more at each replay, and attempts count anew."""
    attempt: int = 0
    fence: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    next_at: float = Field(sa_column=_time(nullable=False))
    created_at: float = Field(sa_column=_time(nullable=False))
    finished_at: float | None = Field(default=None, sa_column=_time())


class AttemptRow(SQLModel, table=True):
    """One sending of a delivery, as it went."""

    __tablename__: ClassVar[Any] = "delivery_attempts"

    delivery_id: str = Field(primary_key=True, foreign_key="deliveries.id")
    round: int = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    at: float = Field(sa_column=_time(nullable=False))
    seconds: float
    status: int | None = None
    error: str | None = None
    response: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """Start of the answer's body."""


class TenantRow(SQLModel, table=True):
    """A tenant and the secret that signs its webhooks: sealed, or empty until it is needed."""

    __tablename__: ClassVar[Any] = "tenants"

    id: str = Field(primary_key=True)
    webhook_secret: str
    created_at: float = Field(sa_column=_time(nullable=False))


class ApiKeyRow(SQLModel, table=True):
    """An API key: its prefix for people, the hash for checking, never the key."""

    __tablename__: ClassVar[Any] = "api_keys"

    id: str = Field(primary_key=True)
    tenant: str = Field(foreign_key="tenants.id", index=True)
    name: str
    prefix: str
    hash: str = Field(unique=True)
    created_at: float = Field(sa_column=_time(nullable=False))
    revoked_at: float | None = Field(default=None, sa_column=_time())


class LockRow(SQLModel, table=True):
    """A named lock with an expiry: who does the periodic work now."""

    __tablename__: ClassVar[Any] = "locks"

    name: str = Field(primary_key=True)
    holder: str
    until: float = Field(sa_column=_time(nullable=False))


class MarkerRow(SQLModel, table=True):
    """A named fact of the installation, such as the epoch that Redis should know."""

    __tablename__: ClassVar[Any] = "markers"

    name: str = Field(primary_key=True)
    value: str
