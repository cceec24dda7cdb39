"""``/v1/files``: files that a tenant uploads, and those that its batches make."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors
from api.auth import Tenant
from api.content import Content, etag, open_content, part_asked_for
from api.file_schemas import FIELDS, FORM, FileDeleted, FileView
from api.multipart import Form, read_form
from api.openai.route import OpenAiRoute
from api.schemas import Page
from api.services import Services, ServicesDep
from lepton_tasks.errors import InvalidInput, StorageUnavailable
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.files.rules import check_expiry, check_purpose, clean_filename
from lepton_tasks.ids import new_id
from lepton_tasks.store.files import File

logger = logging.getLogger(__name__)

MAX_PAGE: Final = 10_000
_BYTES: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it.", "content": _BYTES},
    206: {"description": "The part that `Range` asks for.", "content": _BYTES},
    **errors(416),
}

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=OpenAiRoute)


@router.post("", openapi_extra=FORM, responses=errors(507))
async def create(request: Request, tenant: Tenant, services: ServicesDep) -> FileView:
    """Upload a file in one request, of any length up to `LEPTON_FILE_BYTES`.

    It is streamed to the disk, and there when this answers; else nothing of it is kept.
    """
    async with services.intake.incoming(tenant) as incoming:
        most = services.settings.file_bytes
        form = await read_form(
            request, "file", incoming, most, too_large_for_us(most), _check_field
        )
        purpose, expires_seconds = _read_fields(form)
        if form.filename is None:
            raise InvalidInput("file is missing; send it as a part of its own", "file", "no_file")
        await incoming.flush()
        draft = incoming.draft
        if not draft.size:
            raise InvalidInput("file is empty", "file", "empty_file")
        file_id = new_id("file")
        await services.disk.run_long(draft.publish, file_id)

    def work() -> File:
        name = clean_filename(str(form.filename))
        return services.store.files.create(
            tenant,
            file_id,
            purpose,
            name,
            draft.size,
            expires_seconds,
            tenant_bytes=services.settings.tenant_file_bytes,
        )

    try:
        return FileView.of(await run_in_threadpool(work))
    except InvalidInput:
        # After any other failure there may be a row; what has none is swept.
        await forget_content(services, file_id)
        raise


@router.get("")
async def list_files(
    tenant: Tenant,
    services: ServicesDep,
    purpose: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    order: Literal["asc", "desc"] = "desc",
) -> Page[FileView]:
    """List files, newest first or, `asc`, oldest first."""

    def page() -> list[File]:
        return services.store.files.page(
            tenant, purpose=purpose, after=after, limit=limit + 1, oldest=order == "asc"
        )

    return Page[FileView].of(await run_in_threadpool(page), limit, FileView.of)


@router.get("/{file_id}")
async def read(file_id: str, tenant: Tenant, services: ServicesDep) -> FileView:
    """Read what a file is."""
    return FileView.of(await run_in_threadpool(services.store.files.get, tenant, file_id))


@router.get("/{file_id}/content", response_class=Response, responses=_CONTENT)
async def read_content(
    file_id: str, request: Request, tenant: Tenant, services: ServicesDep
) -> Response:
    """Read the bytes of a file; `Range` asks for a part of them."""
    file = await run_in_threadpool(services.store.files.get, tenant, file_id)
    wanted = request.headers.get("range")
    if request.headers.get("if-range", etag(file)) != etag(file):
        wanted = None
    part = part_asked_for(wanted, file.size)
    path = services.storage.path(file.id)
    content = await services.disk.run(open_content, path, file.size)
    return Content(content, file, services.disk, part)


@router.delete("/{file_id}", responses=errors(409))
async def delete(file_id: str, tenant: Tenant, services: ServicesDep) -> FileDeleted:
    """Delete a file. One that a batch reads which has not ended answers 409, `file_in_use`."""
    await run_in_threadpool(services.store.files.delete, tenant, file_id)
    await forget_content(services, file_id)
    return FileDeleted(id=file_id)


def too_large_for_us(most: int) -> str:
    """What is said of a file of more than ``most`` bytes."""
    return (
        f"the file is larger than {most:,} bytes (LEPTON_FILE_BYTES); send it in several files, "
        "or compressed"
    )


async def forget_content(services: Services, file_id: str) -> None:
    """Delete the content of a file that has no row; where that fails, it is swept later."""
    try:
        await services.disk.run(services.storage.delete, file_id)
    except StorageUnavailable as error:
        logger.warning("content without a row is left to the sweep: %s", error)


def _check_field(name: str, value: str) -> None:
    refuse_unknown([name], [*FIELDS, "file"])
    if name == "purpose":
        check_purpose(value)


def _read_fields(form: Form) -> tuple[str, float | None]:
    """Purpose, and how long the file is kept."""
    purpose = check_purpose(form.fields.get("purpose"))
    anchor, seconds = (form.fields.get(name) for name in FIELDS[1:])
    return purpose, check_expiry(anchor, seconds)
