"""``/livez`` and ``/readyz``: for supervisors and load balancers, no key needed."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from api.schemas import Health, Ready
from api.services import ServicesDep

router = APIRouter(tags=["health"])


@router.get("/livez")
@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process is alive, whatever it lacks: restarting it would not bring that."""
    return Health()


@router.get("/readyz", responses={503: {"model": Ready, "description": "A submit cannot work."}})
async def readyz(response: Response, services: ServicesDep) -> Ready:
    """Say what is there and what is missing; 503 only where a submit cannot work."""
    found = await services.readiness.look()
    backlog = await services.readiness.backlog() if found.ready else None
    missing = found.missing
    status: Literal["ready", "degraded", "unavailable"] = "degraded" if missing else "ready"
    if not found.ready:
        status = "unavailable"
        response.status_code = 503
    return Ready(
        status=status,
        missing=missing,
        database=found.database,
        schema_version=found.schema,
        redis=found.redis,
        workers=found.workers,
        oldest_seconds=found.oldest,
        backlog=backlog,
    )
