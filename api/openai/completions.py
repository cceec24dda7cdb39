"""``POST /v1/completions``: a prompt goes in, the text that follows comes out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response

from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.errors import ApiError
from api.openai.answering import Call
from api.openai.bodies import read_body
from api.openai.events import TextEvents
from api.openai.failures import outputs_of
from api.openai.following import Following, began
from api.openai.parts import in_jobs
from api.openai.replies import reply
from api.openai.route import OpenAiRoute, renamed
from api.openai.writing import OPTIONS, WritingBody, usage_of, without_neutral
from api.schemas import described
from api.services import ServicesDep
from lepton_tasks.errors import InvalidInput

router = APIRouter(prefix="/v1/completions", tags=["openai"], route_class=OpenAiRoute)

_TASK: Final = "generation"


class CompletionBody(WritingBody):
    """A prompt, or a list of them, and how to go on."""

    prompt: Annotated[Any, described({"type": ["string", "array"]})]


@router.post("", openapi_extra=takes(CompletionBody))
async def complete(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Write on from each prompt. With `stream`, which takes one, as server-sent events."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_body(without_neutral(as_object(raw)), CompletionBody)
    call = Call.of(request, tenant, raw)
    prompts = _prompts(body)
    requests = in_jobs(
        _TASK,
        prompts,
        body.options(_TASK),
        body.priority,
        services.settings.max_items_per_job,
        metadata=body.metadata,
        param="prompt",
    )
    names = {f"options.{name}": name for name in (*OPTIONS, "model")} | {"inputs": "prompt"}
    if isinstance(body.prompt, str):
        names = {"inputs[0]": "prompt"} | names
    try:
        jobs = await services.answering.admit(call, requests)
    except InvalidInput as error:
        raise renamed(error, names) from error
    envelope = {
        "id": jobs[0].id.replace("job_", "cmpl_", 1),
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model or "default",
    }
    if body.stream:
        following = Following(
            services.answering,
            services.waiting,
            services.store.jobs,
            services.async_redis,
            lambda output: str(output["text"]),
        )
        first = await began(following, call, jobs[0])
        headers = {**response.headers, **following.accepted.headers}
        return TextEvents(following, first, envelope, _piece, body.wants_usage, headers)
    ended, accepted = await services.answering.answer_jobs(call, jobs)
    outputs = [output for job in ended for output in outputs_of(job)]
    envelope["id"] = ended[0].id.replace("job_", "cmpl_", 1)
    choices = [
        _choice(index, output["text"], output["finish_reason"])
        for index, output in enumerate(outputs)
    ]
    answer = {**envelope, "choices": choices, "usage": usage_of(*outputs)}
    return reply(response, answer, accepted.headers)


def _prompts(body: CompletionBody) -> list[Any]:
    if isinstance(body.prompt, str):
        return [body.prompt]
    if not isinstance(body.prompt, list):
        raise ApiError(400, "invalid_type", "prompt must be a string or a list of them", "prompt")
    if any(isinstance(one, int | list) for one in body.prompt):
        raise ApiError(
            400,
            "unsupported_tokens",
            "prompt holds token numbers, which are those of another model; send texts",
            "prompt",
        )
    if body.stream and len(body.prompt) != 1:
        raise ApiError(400, "unsupported_value", "prompt must be one where stream is set", "prompt")
    return body.prompt


def _piece(text: str | None, reason: str | None) -> Mapping[str, Any]:
    return _choice(0, text or "", reason)


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": reason, "logprobs": None}
