"""One call from its body to its answer: whole, or piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from api.openai.answering import Call
from api.openai.events import Choice, TextEvents
from api.openai.failures import outputs_of
from api.openai.following import Following, TextOf, began
from api.openai.parts import in_jobs
from api.openai.replies import reply
from api.services import Services
from lepton_tasks.errors import InvalidInput
from lepton_tasks.jobs import Job, NewJob
from lepton_tasks.openai.names import renamed
from lepton_tasks.openai.wire import WireRequest

Head = Callable[[str, float], Mapping[str, Any]]
"""Makes what all events have in common, of a bare id and a Unix time."""


async def answered(
    services: Services, response: Response, call: Call, asked: WireRequest
) -> Response:
    """Have it done, and answer once all of it is.

    Raises:
        ClientDisconnect: nobody waits any more.
        LeptonError: it cannot be accepted, or was not answered.
    """
    created = time.time()
    admitted = await _admitted(services, call, asked)
    jobs, accepted = await services.answering.answer(call, admitted)
    outputs = [output for job in jobs for output in outputs_of(job)]
    body = asked.reply(_bare(jobs[0].id), created, outputs, _model_of(jobs[0]))
    return reply(response, body, accepted.headers)


async def streamed(
    services: Services,
    response: Response,
    call: Call,
    asked: WireRequest,
    *,
    head: Head,
    text_of: TextOf,
    choice: Choice,
    wants_usage: bool,
) -> Response:
    """Have it done, and answer with the pieces of its text; it is one job.

    Raises:
        ClientDisconnect: nobody waits any more.
        LeptonError: it cannot be accepted, or failed before there was a piece.
    """
    created = time.time()
    [job] = await _admitted(services, call, asked)
    following = Following(
        services.answering, services.waiting, services.store.jobs, services.async_redis, text_of
    )
    first = await began(following, call, job)
    headers = {**response.headers, **following.accepted.headers}
    envelope = head(_bare(following.accepted.job_ids[0]), created)
    return TextEvents(following, first, envelope, choice, wants_usage, headers)


async def _admitted(services: Services, call: Call, asked: WireRequest) -> list[NewJob]:
    requests = in_jobs(asked, services.settings.max_items_per_job)
    try:
        return await services.answering.admit(call, requests)
    except InvalidInput as error:
        raise renamed(error, asked.names) from error


def _model_of(job: Job) -> str | None:
    model = (job.result or {}).get("model")
    return None if model is None else str(model["name"])


def _bare(job_id: str) -> str:
    return job_id.removeprefix("job_")
