"""``/v1/jobs``: submit, read, wait, list, cancel, redrive, delete."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors, tells
from api.auth import Caller, Tenant
from api.body import declared_size, read_object, takes
from api.classifiers import check_classifier
from api.intake import check_webhook, read_job_request
from api.putting import put
from api.schemas import JobAccepted, JobCreate, JobDeleted, JobView, Page
from api.services import Services, ServicesDep
from api.views import Limit
from lepton_tasks.jobs import Job
from lepton_tasks.states import TERMINAL, JobState

MAX_WAIT_SECONDS: Final = 60.0
MAX_QUICK_BYTES: Final = 65_536
"""Bodies up to this are checked on the event loop: a thread would cost more than the check."""

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(description="Id of a job, `job_…`.")]


@router.post(
    "",
    status_code=202,
    openapi_extra=takes(JobCreate),
    responses=errors(404, 409, 410) | tells(202, "Location", "Idempotent-Replayed"),
)
async def submit(
    request: Request,
    response: Response,
    tenant: Tenant,
    services: ServicesDep,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> JobAccepted:
    """Accept a job. What was answered with 202 is stored and will be done.

    A repeated `Idempotency-Key` with the same body answers with the first job and
    the header `idempotent-replayed: true`; with another body it is an error. Where too
    much of the tenant's waits already, or comes too fast, nothing is accepted: 429 with
    `Retry-After`.
    """
    body = await read_object(request, services.settings.max_request_bytes)
    asked = read_job_request(body, idempotency_key)
    size = declared_size(request)
    if size is not None and size <= MAX_QUICK_BYTES and not asked.reads_store:
        job = services.producer.admission.admit(tenant, asked)
    else:
        job = await run_in_threadpool(services.producer.admission.admit, tenant, asked)
    await check_webhook(job.webhook, services.guard)
    await check_classifier(services, job)
    [submitted], used = await put(services.producer, services.tokens, [job])
    response.headers.update(used)
    response.headers["location"] = f"/v1/jobs/{submitted.id}"
    if submitted.replayed:
        response.headers["idempotent-replayed"] = "true"
    return JobAccepted.of(submitted)


@router.get(
    "/{job_id}",
    response_model=JobView,
    response_model_exclude_unset=True,
    responses=errors(410),
)
async def read(
    job_id: JobId,
    tenant: Tenant,
    services: ServicesDep,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, allow_inf_nan=False)] = 0.0,
) -> Any:
    """Read a job; with `wait`, as soon as it has ended or after that many seconds."""
    end = asyncio.get_running_loop().time() + wait
    with services.waiting.watch(job_id) as woken:
        while True:
            job = await run_in_threadpool(services.store.jobs.get, tenant, job_id)
            over = asyncio.get_running_loop().time() >= end
            if over or job.state in TERMINAL:
                return JobView.of(job)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await woken.wait()
            if services.waiting.released:
                return JobView.of(job)
            woken.clear()


@router.get("", response_model=Page[JobView], response_model_exclude_unset=True)
async def list_jobs(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
    task: str | None = None,
    state: JobState | None = None,
    batch_id: str | None = None,
) -> Any:
    """List jobs, newest first."""

    def page() -> list[Job]:
        return services.store.jobs.page(
            tenant, task=task, state=state, batch_id=batch_id, after=after, limit=limit + 1
        )

    return Page[JobView].of(await run_in_threadpool(page), limit, JobView.of)


@router.post(
    "/{job_id}/cancel",
    response_model=JobView,
    response_model_exclude_unset=True,
    responses=errors(410),
)
async def cancel(job_id: JobId, tenant: Tenant, services: ServicesDep) -> Any:
    """Cancel a job: at once while it is queued, at its end while it runs.

    A job that has ended stays as it is.
    """
    return JobView.of(await run_in_threadpool(_cancel, services, tenant, job_id))


def _cancel(services: Services, tenant: str, job_id: str) -> Job:
    job = services.store.jobs.cancel(tenant, job_id)
    if job.state in TERMINAL:
        services.announcements.say([job_id])
    return job


@router.post(
    "/{job_id}/redrive",
    response_model=JobView,
    response_model_exclude_unset=True,
    responses=errors(409, 410),
)
async def redrive(job_id: JobId, tenant: Tenant, caller: Caller, services: ServicesDep) -> Any:
    """Put a dead job back into its queue, as if it had never crashed.

    A job is `dead` when it has ended its worker again and again; see its `error`. One
    in another state answers 409, `not_dead`; a line of a bulk file that is complete 409,
    `batch_closed`.
    """

    def work() -> Job:
        services.store.dead_letters.redrive(job_id, caller, tenant)
        return services.store.jobs.get(tenant, job_id)

    return JobView.of(await run_in_threadpool(work))


@router.delete("/{job_id}", responses=errors(409, 410))
async def erase(job_id: JobId, tenant: Tenant, services: ServicesDep) -> JobDeleted:
    """Delete a job at once: its texts, its results, and the webhook messages about it.

    One that waits is cancelled by it. One that runs is asked to end and answers 409,
    `still_running`: delete it again when it has ended. A part of a bulk file answers
    409, `part_of_batch`. Afterwards the job and its `Idempotency-Key` answer 410.
    """
    await run_in_threadpool(services.store.retention.erase, tenant, job_id)
    return JobDeleted(id=job_id, object="job", deleted=True)
