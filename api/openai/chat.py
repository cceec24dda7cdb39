"""``POST /v1/chat/completions``: the assistant's next message, whole or piece by piece."""

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
from api.openai.replies import reply
from api.openai.route import OpenAiRoute, renamed
from api.openai.writing import OPTIONS, WritingBody, usage_of, without_neutral
from api.schemas import described
from api.services import ServicesDep
from lepton_tasks.errors import InvalidInput
from lepton_tasks.requests import JobRequest

router = APIRouter(prefix="/v1/chat/completions", tags=["openai"], route_class=OpenAiRoute)

_TASK: Final = "chat"
_ROLES: Final = {"developer": "system"}


class ChatBody(WritingBody):
    """The messages so far, and how to answer."""

    messages: Annotated[Any, described({"type": "array", "items": {"type": "object"}})]
    max_completion_tokens: int | None = None


@router.post("", openapi_extra=takes(ChatBody))
async def complete(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Answer the last message. With `stream` the answer comes as server-sent events."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_body(without_neutral(as_object(raw)), ChatBody)
    call = Call.of(request, tenant, raw)
    asked = JobRequest(
        task=_TASK,
        input={"messages": read_messages(body.messages)},
        options=_options(body),
        priority=body.priority,
        metadata=body.metadata,
    )
    try:
        [job] = await services.answering.admit(call, [asked])
    except InvalidInput as error:
        raise renamed(error, _names(body)) from error
    envelope = {
        "id": job.id.replace("job_", "chatcmpl_", 1),
        "object": "chat.completion.chunk" if body.stream else "chat.completion",
        "created": int(time.time()),
        "model": body.model or "default",
        "service_tier": body.service_tier or "auto",
    }
    if body.stream:
        following = Following(
            services.answering,
            services.waiting,
            services.store.jobs,
            services.async_redis,
            lambda output: str(output["message"]["content"]),
        )
        first = await began(following, call, job)
        headers = {**response.headers, **following.accepted.headers}
        return TextEvents(following, first, envelope, _delta(), body.wants_usage, headers)
    [ended], accepted = await services.answering.answer_jobs(call, [job])
    [output] = outputs_of(ended)
    choice = {
        "index": 0,
        "message": {**output["message"], "refusal": None},
        "finish_reason": output["finish_reason"],
        "logprobs": None,
    }
    envelope["id"] = ended.id.replace("job_", "chatcmpl_", 1)
    answer = {**envelope, "choices": [choice], "usage": usage_of(output)}
    return reply(response, answer, accepted.headers)


def read_messages(value: object) -> list[dict[str, Any]]:
    """Messages as the task takes them; a list of text parts is one text.

    >>> read_messages([{"role": "developer", "content": [{"type": "text", "text": "简短"}]}])
    [{'role': 'system', 'content': '简短'}]

    Raises:
        ApiError: 400, a message is none, or has what we have not; ``param`` names it.
    """
    if not isinstance(value, list):
        raise ApiError(400, "invalid_type", "messages must be a list", "messages")
    return [_message(one, f"messages[{place}]") for place, one in enumerate(value)]


def _message(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ApiError(400, "invalid_type", f"{place} must be an object", place)
    for name, part in value.items():
        if name not in ("role", "content") and part not in (None, []):
            where = f"{place}.{name}"
            raise ApiError(400, "unsupported_parameter", f"{where} is not supported here", where)
    role = value.get("role")
    content = value.get("content")
    if isinstance(content, list):
        content = "".join(
            _text(part, f"{place}.content[{number}]") for number, part in enumerate(content)
        )
    return {"role": _ROLES.get(role, role) if isinstance(role, str) else role, "content": content}


def _text(part: object, place: str) -> str:
    text = part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None
    if not isinstance(text, str):
        raise ApiError(
            400, "unsupported_part", f'{place} must be {{"type": "text", "text": …}}', place
        )
    return text


def _options(body: ChatBody) -> dict[str, Any]:
    options = body.options(_TASK)
    most = body.max_completion_tokens
    if most is not None:
        if options.get("max_tokens", most) != most:
            raise ApiError(
                400,
                "invalid_value",
                "max_tokens and max_completion_tokens say the same; send one of them",
                "max_tokens",
            )
        options["max_tokens"] = most
    return options


def _names(body: ChatBody) -> dict[str, str]:
    """Our names of what may be wrong, and the request's."""
    names = {f"options.{name}": name for name in (*OPTIONS, "model")}
    if body.max_completion_tokens is not None:
        names["options.max_tokens"] = "max_completion_tokens"
    return names | {"input.messages": "messages", "input": "messages"}


def _delta() -> Any:
    """Makes choices of a stream; the first one names the role."""
    begun = False

    def choice(piece: str | None, reason: str | None) -> Mapping[str, Any]:
        nonlocal begun
        delta: dict[str, Any] = {} if begun else {"role": "assistant"}
        begun = True
        if piece is not None:
            delta["content"] = piece
        return {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}

    return choice
