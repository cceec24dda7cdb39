"""``/v1/uploads``: large files that come in parts, each of which may be sent again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.answers import errors
from api.auth import Tenant
from api.body import SMALL_BYTES, read_fields, read_object, takes
from api.file_schemas import PART_FORM, PartView, UploadComplete, UploadCreate, UploadView
from api.multipart import file_too_large, read_form
from api.openai.route import OpenAiRoute
from api.routes.files import forget_content, too_large_for_us
from api.services import Services, ServicesDep
from lepton_tasks.errors import InvalidInput, NotFound, StorageUnavailable
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.files.rules import check_purpose, clean_filename, read_expiry
from lepton_tasks.ids import new_id
from lepton_tasks.states import UploadState
from lepton_tasks.store.files import File
from lepton_tasks.store.uploads import MOST_PARTS, Part, Upload, require_pending

PART_BYTES: Final = 64 << 20
"""Largest part."""
_LONGEST_TYPE: Final = 255
_MD5: Final = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

router = APIRouter(prefix="/v1/uploads", tags=["files"], route_class=OpenAiRoute)


@router.post("", openapi_extra=takes(UploadCreate))
async def create(request: Request, tenant: Tenant, services: ServicesDep) -> UploadView:
    """Announce a file, whose parts come within an hour."""
    body = await read_object(request, SMALL_BYTES)
    refuse_unknown(body, UploadCreate.model_fields)
    settings = services.settings
    size = _read_size(body, settings.file_bytes)
    names = [_read_text(body, name) for name in ("filename", "mime_type")]
    purpose = check_purpose(body.get("purpose"))
    seconds = read_expiry(body.get("expires_after"))

    def work() -> Upload:
        return services.store.uploads.create(
            tenant,
            new_id("upload"),
            purpose,
            clean_filename(names[0]),
            names[1],
            size,
            seconds,
            tenant_bytes=settings.tenant_file_bytes,
        )

    return UploadView.of(await run_in_threadpool(work))


@router.post("/{upload_id}/parts", openapi_extra=PART_FORM, responses=errors(507))
async def add_part(
    upload_id: str, request: Request, tenant: Tenant, services: ServicesDep
) -> PartView:
    """Send a part of at most 64 MiB, as `data`. Parts may come at the same time."""
    upload = await run_in_threadpool(services.store.uploads.get, tenant, upload_id)
    require_pending(upload)
    part_id = new_id("part")
    async with services.intake.incoming(tenant) as incoming:
        form = await read_form(
            request,
            "data",
            incoming,
            PART_BYTES,
            f"the part is larger than {PART_BYTES:,} bytes; send it as several",
            lambda name, _: refuse_unknown([name], ["data"]),
        )
        await incoming.flush()
        draft = incoming.draft
        if form.filename is None or not draft.size:
            raise InvalidInput("data is missing or empty; send it as a file", "data", "no_file")
        await services.disk.run_long(draft.publish_part, upload_id, part_id)

    def work() -> Part:
        return services.store.uploads.add_part(
            tenant,
            upload_id,
            part_id,
            draft.size,
            tenant_bytes=services.settings.tenant_file_bytes,
        )

    try:
        return PartView.of(upload_id, await run_in_threadpool(work))
    except InvalidInput:
        # After any other failure there may be a row; what has none goes with the upload.
        await services.disk.run(services.storage.delete_part, upload_id, part_id)
        raise


@router.post("/{upload_id}/complete", openapi_extra=takes(UploadComplete), responses=errors(507))
async def complete(
    upload_id: str, request: Request, tenant: Tenant, services: ServicesDep
) -> UploadView:
    """Make a file of parts in the order in which they are named. Doing so again changes nothing."""
    body = await read_object(request, SMALL_BYTES)
    refuse_unknown(body, UploadComplete.model_fields)
    part_ids, md5 = _read_part_ids(body), _read_md5(body)
    store = services.store
    upload = await run_in_threadpool(store.uploads.get, tenant, upload_id)
    if upload.state is not UploadState.COMPLETED:
        async with services.completing.turn(upload_id):
            upload = await _complete(services, tenant, upload_id, part_ids, md5)
    return UploadView.of(upload, await run_in_threadpool(_file_of, services, upload))


@router.post("/{upload_id}/cancel")
async def cancel(
    upload_id: str, request: Request, tenant: Tenant, services: ServicesDep
) -> UploadView:
    """Give an upload up, and delete its parts."""
    await read_fields(request, ())
    upload = await run_in_threadpool(services.store.uploads.cancel, tenant, upload_id)
    await services.disk.run(services.storage.delete_upload, upload_id)
    return UploadView.of(upload)


async def _complete(
    services: Services, tenant: str, upload_id: str, part_ids: Sequence[str], md5: str | None
) -> Upload:
    """Put an upload together, unless that was done meanwhile."""
    store = services.store
    upload = await run_in_threadpool(store.uploads.get, tenant, upload_id)
    if upload.state is UploadState.COMPLETED:
        return upload
    require_pending(upload)
    parts = await run_in_threadpool(store.uploads.parts, tenant, upload_id, part_ids)
    if (total := sum(part.size for part in parts)) != upload.size:
        raise InvalidInput(
            f"the parts have {total:,} bytes, and {upload.size:,} were announced",
            "part_ids",
            "bytes_differ",
        )
    try:
        return await _put_together(services, upload, parts, md5)
    except StorageUnavailable:
        # The parts are gone where another request has completed it meanwhile, or cancelled it.
        upload = await run_in_threadpool(store.uploads.get, tenant, upload_id)
        if upload.state is UploadState.COMPLETED:
            return upload
        require_pending(upload)
        raise


async def _put_together(
    services: Services, upload: Upload, parts: Sequence[Part], md5: str | None
) -> Upload:
    """Make the file of an upload, part by part; nothing of it is left where that fails."""
    disk, storage = services.disk, services.storage
    digest = None if md5 is None else hashlib.md5(usedforsecurity=False)
    seen = None if digest is None else digest.update
    file_id = new_id("file")
    draft = await disk.run(storage.draft)
    try:
        for part in parts:
            await disk.run_long(draft.append, storage.part_path(upload.id, part.id), seen)
        if draft.size != upload.size:
            raise StorageUnavailable(f"parts of {upload.id} are not of the sizes of their rows")
        if digest is not None and digest.hexdigest() != md5:
            raise InvalidInput(
                "the parts do not have this md5; send them again", "md5", "md5_differs"
            )
        await disk.run_long(draft.publish, file_id)
    finally:
        await disk.surely(draft.close)
    try:
        done = await run_in_threadpool(
            services.store.uploads.complete, upload.tenant, upload.id, file_id
        )
    except InvalidInput:
        await forget_content(services, file_id)
        raise
    if done.file_id != file_id:  # somebody else was faster, with the same
        await forget_content(services, file_id)
    await disk.run(storage.delete_upload, upload.id)
    return done


def _file_of(services: Services, upload: Upload) -> File | None:
    """The file of a completed upload, unless it was deleted since."""
    if upload.file_id is None:
        return None
    try:
        return services.store.files.get(upload.tenant, upload.file_id)
    except NotFound:
        return None


def _read_size(body: Mapping[str, Any], most: int) -> int:
    size = body.get("bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InvalidInput("bytes must be a whole number above 0", "bytes", "invalid_type")
    if size > most:
        raise file_too_large(too_large_for_us(most), "bytes")
    return size


def _read_text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= _LONGEST_TYPE
        or _UNSTORABLE.search(value)
    ):
        raise InvalidInput(
            f"{name} must be text of 1 to {_LONGEST_TYPE} characters", name, "invalid_type"
        )
    return value


def _read_part_ids(body: Mapping[str, Any]) -> list[str]:
    value = body.get("part_ids")
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= MOST_PARTS
        or not all(isinstance(one, str) for one in value)
    ):
        raise InvalidInput(
            f"part_ids must be an array of 1 to {MOST_PARTS:,} ids", "part_ids", "invalid_type"
        )
    return value


def _read_md5(body: Mapping[str, Any]) -> str | None:
    value = body.get("md5")
    if value is None:
        return None
    if not isinstance(value, str) or not _MD5.fullmatch(value):
        raise InvalidInput("md5 must be 32 hexadecimal digits", "md5", "invalid_type")
    return value.lower()
