"""Lanes of deliveries: what is due for each endpoint, found without passing over others'.

A dead endpoint's backlog lies at the head of any order by time. With an index by lane
and time, the lanes are found by one step of the index each, and what is due in one is
read without meeting what is due in another.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    select,
    text,
)

from lepton_tasks.store.database import now
from lepton_tasks.store.tables import DeliveryRow

deliveries = DeliveryRow.__table__  # type: ignore[attr-defined]

# Literals, so that the databases can prove that the partial index applies.
IS_OPEN: Final = text("deliveries.state IN ('pending', 'sending')")
"""Condition of the partial indexes: a delivery that may have to be sent."""


def lane_of(endpoint_id: str | None, url: str) -> str:
    """Lane of a delivery: its endpoint's, or its host's where a job named the URL itself.

    >>> lane_of("ep_1", "https://a.test/"), lane_of(None, "HTTPS://Hooks.A.test:8443/a?b")
    ('ep_1', 'hooks.a.test')
    >>> lane_of(None, "http://[")
    ''
    """
    if endpoint_id is not None:
        return endpoint_id
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def due_lanes(connection: Connection) -> dict[str, float]:
    """Lanes with open deliveries, and the seconds until the first of each is due."""
    return {row.lane: row.wait for row in connection.execute(_DUE_LANES)}


def _loose_scan() -> Select[Any]:
    first = select(_least_lane().label("lane")).cte("lanes", recursive=True)
    lanes = first.union_all(
        select(_least_lane(deliveries.c.lane > first.c.lane)).where(first.c.lane.is_not(None))
    )
    soonest = (
        select(deliveries.c.next_at)
        .where(IS_OPEN, deliveries.c.lane == lanes.c.lane)
        .order_by(deliveries.c.next_at)
        .limit(1)
        .scalar_subquery()
    )
    return select(lanes.c.lane, (soonest - now()).label("wait")).where(lanes.c.lane.is_not(None))


def _least_lane(*conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """First lane of the index that meets ``conditions``."""
    lane = deliveries.c.lane
    return select(lane).where(IS_OPEN, *conditions).order_by(lane).limit(1).scalar_subquery()


_DUE_LANES: Final = _loose_scan()
