"""Conversations as clients and the OpenAPI description see them. Times are Unix seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from api.schemas import Page, described
from api.views import StoredView
from lepton_tasks.nlp.chat import CONVERSATION_PATTERN
from lepton_tasks.store.conversations import Turn

ConversationId = Annotated[str, Path(description="Id of a conversation, `conv_…`.")]


class ConversationCreate(BaseModel):
    """A conversation to be made; everything may be left out."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[
        Any,
        described({"type": "string", "pattern": CONVERSATION_PATTERN}),
    ] = None
    expires_after: Annotated[
        Any,
        described(
            {
                "type": "number",
                "minimum": 1,
                "description": "seconds without a turn",
            }
        ),
    ] = None
    metadata: Annotated[
        Any, described({"type": "object", "additionalProperties": {"type": "string"}})
    ] = None


class ConversationView(StoredView):
    """A conversation without its texts.

    ``turns`` are all it has had, answered or not. ``expires_at`` is null where it is kept for
    ever, and while a turn is not done.
    """

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: float
    updated_at: float
    expires_after: float | None
    expires_at: float | None
    turns: int
    metadata: dict[str, str]


class MessageView(BaseModel):
    """One message."""

    role: Literal["system", "user", "assistant"]
    content: str


class TurnView(BaseModel):
    """A turn: what was said, and the answer once its job has succeeded."""

    id: str
    object: Literal["conversation.turn"] = "conversation.turn"
    job_id: str
    created_at: float
    messages: list[MessageView]

    @classmethod
    def of(cls, turn: Turn) -> Self:
        """View of a stored turn."""
        said = (("system", turn.system), ("user", turn.said), ("assistant", turn.answer))
        return cls(
            id=turn_id(turn.number),
            job_id=turn.job_id,
            created_at=turn.created_at,
            messages=[
                MessageView.model_validate({"role": role, "content": content})
                for role, content in said
                if content is not None
            ],
        )


class ConversationDetail(ConversationView):
    """A conversation with a page of its turns, oldest first."""

    messages: Page[TurnView]


class ConversationDeleted(BaseModel):
    """A conversation that is no more."""

    id: str
    object: Literal["conversation"] = "conversation"
    deleted: Literal[True] = True


def turn_id(number: int) -> str:
    """Name a turn inside its conversation.

    >>> turn_id(7), turn_number("turn_7"), turn_number(None), turn_number("turn_x")
    ('turn_7', 7, -1, None)
    """
    return f"turn_{number}"


def turn_number(name: str | None) -> int | None:
    """Inverse of :func:`turn_id`; -1 where no turn is named, None for a name of none."""
    if name is None:
        return -1
    digits = name.removeprefix("turn_")
    return int(digits) if digits != name and digits.isdecimal() and len(digits) < 10 else None
