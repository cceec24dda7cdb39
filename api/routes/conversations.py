"""``/v1/conversations``: dialogues whose turns are jobs, kept until they expire or are deleted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors, tells
from api.auth import Tenant
from api.body import read_fields, takes
from api.conversation_schemas import (
    ConversationCreate,
    ConversationDeleted,
    ConversationDetail,
    ConversationId,
    ConversationView,
    TurnView,
    turn_number,
)
from api.schemas import Page
from api.services import ServicesDep
from api.views import Limit
from lepton_tasks.conversation_rules import FIELDS, new_conversation
from lepton_tasks.errors import NotFound
from lepton_tasks.store.conversations import Conversation, Turn

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])


@router.post(
    "",
    status_code=201,
    openapi_extra=takes(ConversationCreate, required=False),
    responses=errors(409) | tells(201, "Location"),
)
async def create(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> ConversationView:
    """Make a conversation. `POST /v1/jobs` with `options.conversation` makes one too.

    An `id` that the tenant has answers 409, `conversation_exists`.
    """
    body = await read_fields(request, FIELDS)
    new = new_conversation(body, services.settings.conversation_seconds)
    made = await run_in_threadpool(
        services.store.conversations.create,
        tenant,
        new.id,
        expires_after=new.expires_after,
        metadata=new.metadata,
    )
    response.headers["location"] = f"/v1/conversations/{made.id}"
    return ConversationView.of(made)


@router.get("")
async def list_conversations(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
) -> Page[ConversationView]:
    """List conversations, newest first."""
    page = services.store.conversations.page
    found = await run_in_threadpool(page, tenant, after=after, limit=limit + 1)
    return Page[ConversationView].of(found, limit, ConversationView.of)


@router.get("/{conversation_id}", responses=errors(410))
async def read(
    conversation_id: ConversationId,
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
) -> ConversationDetail:
    """Read a conversation and a page of its turns, oldest first, each with its messages."""
    number = turn_number(after)
    if number is None:
        raise NotFound(f"no turn {after} to continue after")

    def page() -> tuple[Conversation, list[Turn]]:
        store = services.store.conversations
        found = store.turns(tenant, conversation_id, after=number, limit=limit + 1)
        return store.get(tenant, conversation_id), found

    conversation, turns = await run_in_threadpool(page)
    shown = [TurnView.of(one) for one in turns]
    fields: dict[str, Any] = ConversationView.of(conversation).model_dump()
    return ConversationDetail(messages=Page[TurnView].of(shown, limit, lambda one: one), **fields)


@router.delete("/{conversation_id}", responses=errors(409, 410))
async def erase(
    conversation_id: ConversationId, tenant: Tenant, services: ServicesDep
) -> ConversationDeleted:
    """Delete a conversation: its turns, and the texts, results and webhook messages of their jobs.

    A turn that waits is cancelled by it. One that runs is asked to end and answers 409,
    `still_running`: delete the conversation again when it has ended.
    """
    await run_in_threadpool(services.store.conversations.erase, tenant, conversation_id)
    return ConversationDeleted(id=conversation_id)
