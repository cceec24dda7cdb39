"""``POST /v1/chat/completions``: the assistant's next message, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import STREAMED, errors
from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.openai.calling import answered, streamed
from api.openai.events import Choice
from api.openai.route import OpenAiRoute
from api.services import ServicesDep
from lepton_tasks.openai.chat import (
    ChatBody,
    ChatCompletions,
    chat_head,
    chat_request,
    read_chat,
)

router = APIRouter(
    prefix=ChatCompletions.path,
    tags=["openai"],
    route_class=OpenAiRoute,
    responses=errors(404, 409, 422, 500, 504) | STREAMED,
)


@router.post("", openapi_extra=takes(ChatBody))
async def complete(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Answer the last message. With `stream` the answer comes as server-sent events."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_chat(as_object(raw))
    asked = chat_request(body)
    call = services.answering.call(request, tenant, raw)
    if not body.stream:
        return await answered(services, response, call, asked)
    return await streamed(
        services,
        response,
        call,
        asked,
        head=partial(chat_head, body, kind="chat.completion.chunk"),
        text_of=lambda output: str(output["message"]["content"]),
        choice=_delta(),
        wants_usage=body.wants_usage,
    )


def _delta() -> Choice:
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
