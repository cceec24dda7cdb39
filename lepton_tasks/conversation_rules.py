"""What a conversation may be that a tenant asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lepton_tasks.conversations import LONGEST_EXPIRY
from lepton_tasks.errors import InvalidInput
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.nlp.chat import CONVERSATION_PATTERN
from lepton_tasks.requests import check_metadata, check_number

FIELDS: Final = ("id", "expires_after", "metadata")
_SHORTEST_EXPIRY: Final = 1.0


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A checked conversation that is not stored yet; without an id it gets one."""

    id: str | None
    expires_after: float | None
    metadata: Mapping[str, str] = field(default_factory=dict)


def new_conversation(body: Mapping[str, Any], expires_after: float | None) -> NewConversation:
    """Check the fields of a conversation; ``expires_after`` seconds hold where it names none.

    >>> new_conversation({"id": "conv_17", "expires_after": 3600}, None).expires_after
    3600.0

    Raises:
        InvalidInput: ``param`` names the field.
    """
    refuse_unknown(body, FIELDS)
    chosen = body.get("id")
    if chosen is not None and not (
        isinstance(chosen, str) and re.fullmatch(CONVERSATION_PATTERN, chosen)
    ):
        raise InvalidInput(
            "id must be `conv_` and 1 to 64 letters, digits, `-` or `_`", "id", "invalid_id"
        )
    own = check_number(body.get("expires_after"), "expires_after", _SHORTEST_EXPIRY, LONGEST_EXPIRY)
    return NewConversation(
        chosen, expires_after if own is None else own, check_metadata(body.get("metadata"))
    )
