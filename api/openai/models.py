"""``/v1/models``: names that a call may give."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.auth import Tenant
from api.errors import ApiError
from api.openai.route import OpenAiRoute
from api.services import Services, ServicesDep

router = APIRouter(prefix="/v1/models", tags=["openai"], route_class=OpenAiRoute)

SERVED = frozenset({"moderation", "embedding", "chat", "generation"})
"""Tasks that have a compatible route."""


class Model(BaseModel):
    """A name, and the task that it serves. ``created`` is when this server started."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "lepton-tasks"
    task: str


class Models(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("")
async def list_models(tenant: Tenant, services: ServicesDep) -> Models:
    """List the models of compatible routes: aliases, and those of the catalogue."""
    return Models(data=await _all(services))


@router.get("/{name:path}")
async def read(name: str, tenant: Tenant, services: ServicesDep) -> Model:
    """Read one; there need not be a worker that has it."""
    for model in await _all(services):
        if model.id == name:
            return model
    raise ApiError(404, "model_not_found", f"there is no model {name[:80]!r}", "model")


async def _all(services: Services) -> list[Model]:
    tasks = SERVED & services.producer.admission.tasks.keys()
    names = await services.models.tasks_by_name(tasks)
    since = services.models.since
    return [Model(id=name, created=since, task=task) for name, task in names.items()]
