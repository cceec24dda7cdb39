"""How an endpoint fares: active, failing, disabled. Pure; times in Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lepton_tasks.states import EndpointState
from lepton_tasks.webhooks.schedule import GONE

FAILING_SECONDS: Final = 5 * 86_400.0
"""How long an endpoint may fail, without one success, before it is disabled."""


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing."""

    GONE = "gone"
    """Its receiver answered 410."""
    FAILING = "failing"
    """It has failed for :data:`FAILING_SECONDS`."""
    BY_TENANT = "by_tenant"


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of an endpoint. ``failing_since`` is the first failure after a success."""

    state: EndpointState = EndpointState.ACTIVE
    failing_since: float | None = None
    disabled_reason: DisabledReason | None = None


def after_attempt(health: Health, delivered: bool, status: int | None, now: float) -> Health:
    """Health after one more attempt; ``status`` is the receiver's, None when it gave none.

    >>> well = Health()
    >>> ill = after_attempt(well, False, 500, now=1_000)
    >>> str(ill.state), ill.failing_since
    ('failing', 1000)
    >>> after_attempt(ill, False, None, now=2_000) == ill
    True
    >>> after_attempt(ill, True, 200, now=2_000) == well
    True

    Five days without a success, or one 410, disable it:

    >>> str(after_attempt(ill, False, 503, now=1_000 + FAILING_SECONDS).disabled_reason)
    'failing'
    >>> str(after_attempt(well, False, 410, now=1_000).disabled_reason)
    'gone'

    Only its tenant enables it again, whatever was still on its way:

    >>> off = Health(EndpointState.DISABLED, None, DisabledReason.BY_TENANT)
    >>> after_attempt(off, True, 200, now=1_000) == off
    True
    """
    if health.state == EndpointState.DISABLED:
        return health
    if delivered:
        return Health()
    since = now if health.failing_since is None else health.failing_since
    failing = Health(EndpointState.FAILING, since)
    if status == GONE:
        return replace(failing, state=EndpointState.DISABLED, disabled_reason=DisabledReason.GONE)
    if now - since >= FAILING_SECONDS:
        return replace(
            failing, state=EndpointState.DISABLED, disabled_reason=DisabledReason.FAILING
        )
    return failing
