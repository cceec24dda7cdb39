"""``/v1/tasks``: what can be asked for."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Tenant
from api.schemas import Page, TaskView
from api.services import ServicesDep

router = APIRouter(prefix="/v1/tasks", tags=["tasks"])


@router.get("")
async def list_tasks(tenant: Tenant, services: ServicesDep) -> Page[TaskView]:
    """List the tasks with their schemas, examples, limits and queues."""
    max_inputs = services.settings.max_items_per_job
    shown = [TaskView.of(task, max_inputs) for task in services.producer.admission.tasks.values()]
    return Page[TaskView](
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=False,
    )
