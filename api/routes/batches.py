"""``/v1/batches``: uploaded files whose lines ask an endpoint, and other bulk files' progress."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors, tells
from api.auth import Tenant
from api.batch_schemas import BatchCreate, BatchId, BatchView
from api.body import SMALL_BYTES, read_object, takes
from api.errors import ApiError
from api.intake import check_webhook
from api.openai.resends import was_resent
from api.openai.route import OpenAiRoute
from api.schemas import Page
from api.services import Services, ServicesDep
from lepton_tasks.batches.head import head_fault
from lepton_tasks.batches.orders import BatchOrder, read_order
from lepton_tasks.batches.request_lines import empty_file
from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.files.rules import BATCH
from lepton_tasks.ids import new_id
from lepton_tasks.store.batch_orders import Ordered
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.files import File

MAX_PAGE: Final = 100

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=OpenAiRoute)


@router.post(
    "",
    openapi_extra=takes(BatchCreate),
    responses=errors(404, 422) | tells(200, "Location", "Idempotent-Replayed"),
)
async def create(
    request: Request,
    response: Response,
    tenant: Tenant,
    services: ServicesDep,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> BatchView:
    """Make a batch of an uploaded file. It is validated as a whole, then its lines are done.

    What is wrong with the first lines is told at once, with the number of the line. A
    repeated `Idempotency-Key` with the same body answers with the first batch and the header
    `idempotent-replayed: true`; with another body it is an error.
    """
    order = read_order(await read_object(request, SMALL_BYTES), idempotency_key)
    await check_webhook(order.webhook, services.guard)
    resent = was_resent(request.headers)
    made = await services.disk.run(_create, services, tenant, order, resent)
    response.headers["location"] = f"/v1/batches/{made.batch.id}"
    if made.replayed:
        response.headers["idempotent-replayed"] = "true"
    return BatchView.of(made.batch)


@router.get("")
async def list_batches(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> Page[BatchView]:
    """List batches, newest first."""

    def page() -> list[Batch]:
        return services.store.batches.page(tenant, after=after, limit=limit + 1)

    return Page[BatchView].of(await run_in_threadpool(page), limit, BatchView.of)


@router.get("/{batch_id}")
async def read(batch_id: BatchId, tenant: Tenant, services: ServicesDep) -> BatchView:
    """Read a batch and its counts."""
    return BatchView.of(await run_in_threadpool(services.store.batches.get, tenant, batch_id))


@router.post("/{batch_id}/cancel")
async def cancel(batch_id: BatchId, tenant: Tenant, services: ServicesDep) -> BatchView:
    """Cancel a batch; what is done by then is kept, and is in its files.

    It is `cancelling` until these are complete. One that has ended stays as it is.
    """

    def work() -> Batch:
        services.store.batches.get(tenant, batch_id)
        services.store.batches.cancel(tenant, batch_id)
        return services.store.batches.get(tenant, batch_id)

    return BatchView.of(await run_in_threadpool(work))


def _create(services: Services, tenant: str, order: BatchOrder, resent: bool) -> Ordered:
    orders = services.store.batch_orders
    earlier = orders.earlier(tenant, order, resent=resent)
    if earlier is not None:
        return earlier
    try:
        _check_file(services, services.store.files.get(tenant, order.input_file_id), order)
        return orders.create(
            tenant,
            new_id("batch"),
            order,
            resent=resent,
            tenant_bytes=services.settings.tenant_file_bytes,
        )
    except NotFound as error:
        raise ApiError(404, error.code, str(error), "input_file_id") from error


def _check_file(services: Services, file: File, order: BatchOrder) -> None:
    """Refuse a file that cannot be one of requests, as far as that is seen at its beginning.

    Raises:
        InvalidInput: it has another purpose.
        ApiError: 400, a line is wrong, or there is none.
    """
    if file.purpose != BATCH:
        raise InvalidInput(
            f"input_file_id: the file has the purpose {file.purpose}; upload it with the purpose "
            f"{BATCH}",
            "input_file_id",
            "invalid_purpose",
        )
    path = services.storage.path(file.id)
    fault = head_fault(path, order.endpoint) if file.size else empty_file()
    if fault is not None:
        where = "" if fault.line is None else f"line {fault.line:,}: "
        raise ApiError(
            400,
            fault.code,
            f"{where}{fault.message}",
            fault.param or "input_file_id",
            line=fault.line,
        )
