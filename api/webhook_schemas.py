"""Webhook endpoints and deliveries over HTTP; the shapes of OpenAI's, and more."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from api.schemas import described
from lepton_tasks.states import DeliveryState, EndpointState
from lepton_tasks.store.delivery_history import DeliveryView as StoredDelivery
from lepton_tasks.store.delivery_history import PastAttempt
from lepton_tasks.store.endpoints import Endpoint
from lepton_tasks.webhooks.events import EVENT_TYPES, ORDINARY_EVENTS

EndpointId = Annotated[str, Path(description="Id of an endpoint, `ep_…`.")]

_OPEN = (DeliveryState.PENDING, DeliveryState.SENDING)


class EndpointChange(BaseModel):
    """Fields of an endpoint that can be changed."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[Any, described({"type": "string", "format": "uri"})] = None
    name: Annotated[Any, described({"type": "string"})] = None
    description: Annotated[Any, described({"type": "string"})] = None
    event_types: Annotated[
        Any,
        described(
            {
                "type": "array",
                "items": {"type": "string", "enum": [*EVENT_TYPES]},
                "minItems": 1,
            }
        ),
    ] = None
    headers: Annotated[
        Any, described({"type": "object", "additionalProperties": {"type": "string"}})
    ] = None
    rate_limit: Annotated[
        Any, described({"type": "number", "description": "most requests a second"})
    ] = None


class EndpointCreate(EndpointChange):
    """A new endpoint. Without ``event_types`` it gets all ordinary events."""

    url: Annotated[Any, described({"type": "string", "format": "uri"})]
    secret: Annotated[Any, described({"type": "string", "description": "your own, `whsec_…`"})] = (
        None
    )


class SecretAsked(BaseModel):
    """Which secret an endpoint shall have, and how long the old one signs beside it."""

    model_config = ConfigDict(extra="forbid")

    secret: Annotated[Any, described({"type": "string", "description": "your own, `whsec_…`"})] = (
        None
    )
    keep_old_secret_active_for_24_hours: bool = True


class EventAsked(BaseModel):
    """Which event a test sends."""

    model_config = ConfigDict(extra="forbid")

    event_type: Annotated[Any, described({"type": "string", "enum": [*EVENT_TYPES]})] = EVENT_TYPES[
        0
    ]


class EndpointView(BaseModel):
    """An endpoint. Times are Unix seconds; ``signing_secret`` is shown once."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    name: str
    description: str
    event_types: list[str]
    header_names: list[str]
    rate_limit: float | None
    state: EndpointState
    failing_since: float | None
    disabled_reason: str | None
    signing_secret_hint: str
    rotated_at: float | None
    old_secret_active_until: float | None
    created_at: int
    updated_at: int
    signing_secret: str | None = Field(default=None, repr=False)

    @classmethod
    def of(cls, endpoint: Endpoint, secret: str | None = None) -> Self:
        """View of a stored endpoint, with its secret where it was made just now."""
        shown = {} if secret is None else {"signing_secret": secret}
        return cls(
            id=endpoint.id,
            object="webhook_endpoint",
            url=endpoint.url,
            name=endpoint.name,
            description=endpoint.description,
            event_types=list(ORDINARY_EVENTS if endpoint.events is None else endpoint.events),
            header_names=list(endpoint.header_names),
            rate_limit=endpoint.rate_limit,
            state=endpoint.state,
            failing_since=endpoint.failing_since,
            disabled_reason=endpoint.disabled_reason,
            signing_secret_hint=endpoint.secret_hint,
            rotated_at=endpoint.rotated_at,
            old_secret_active_until=endpoint.old_secret_until,
            created_at=int(endpoint.created_at),
            updated_at=int(endpoint.updated_at),
            **shown,
        )


class EndpointDeleted(BaseModel):
    """An endpoint that is no more."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class EndpointTested(BaseModel):
    """What came of a test event; ``status_code`` is null where no receiver answered."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    delivery_id: str
    success: bool
    status_code: int | None
    error: str | None


class EventTypes(BaseModel):
    """The events there are."""

    object: Literal["list"] = "list"
    data: list[str]


class DeliveryView(BaseModel):
    """One event on its way to one URL. Times are Unix seconds."""

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    endpoint_id: str | None
    event_id: str
    event_type: str
    sequence: int
    url: str
    state: DeliveryState
    round: int
    attempts_in_round: int
    next_attempt_at: float | None
    created_at: float
    finished_at: float | None

    @classmethod
    def of(cls, delivery: StoredDelivery) -> Self:
        """View of a stored delivery."""
        return cls(**cls._fields(delivery))

    @staticmethod
    def _fields(delivery: StoredDelivery) -> dict[str, Any]:
        return {
            "id": delivery.id,
            "endpoint_id": delivery.endpoint_id,
            "event_id": delivery.event_id,
            "event_type": delivery.event_type,
            "sequence": delivery.sequence,
            "url": delivery.url,
            "state": delivery.state,
            "round": delivery.round,
            "attempts_in_round": delivery.attempt,
            "next_attempt_at": delivery.next_at if delivery.state in _OPEN else None,
            "created_at": delivery.created_at,
            "finished_at": delivery.finished_at,
        }


class AttemptView(BaseModel):
    """One sending; ``response`` is the start of what the receiver answered."""

    round: int
    attempt: int
    at: float
    seconds: float
    status_code: int | None
    error: str | None
    response: str | None

    @classmethod
    def of(cls, past: PastAttempt) -> Self:
        """View of a recorded attempt."""
        return cls(
            round=past.round,
            attempt=past.attempt,
            at=past.at,
            seconds=past.seconds,
            status_code=past.status,
            error=past.error,
            response=None if past.response is None else past.response.decode(errors="replace"),
        )


class DeliveryDetail(DeliveryView):
    """A delivery with what is sent and its last attempts, oldest first."""

    event: dict[str, Any]
    attempts: list[AttemptView]

    @classmethod
    def with_attempts(cls, delivery: StoredDelivery, body: bytes, past: list[PastAttempt]) -> Self:
        """View of a delivery and what became of it."""
        shown = [AttemptView.of(one) for one in past]
        return cls(**cls._fields(delivery), event=orjson.loads(body), attempts=shown)


Moment = Annotated[float, Field(strict=True, allow_inf_nan=False)] | str
"""Unix seconds, or ISO 8601 with an offset."""


class ReplayAsked(BaseModel):
    """Which deliveries to send again: those from ``since`` up to ``until``."""

    model_config = ConfigDict(extra="forbid")

    since: Moment
    until: Moment | None = None
    states: list[Literal["exhausted", "held", "delivered"]] = ["exhausted", "held"]
    after: str | None = None


class Replayed(BaseModel):
    """How many go out again; while there are more, ask again with ``after`` the last id."""

    object: Literal["webhook_replay"] = "webhook_replay"
    replayed: int
    last_id: str | None
    has_more: bool
