"""Conversations as data: a turn to be stored, the history put before it, the answer read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lepton_tasks.errors import InvalidInput

MOST_TURNS: Final = 1_000
"""Turns of one conversation."""
LONGEST_EXPIRY: Final = 3_650 * 86_400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A job's part in a conversation.

    ``history_turns`` and ``history_characters`` bound what is put before the new message.
    ``expires_after`` is that of a conversation made by this turn: seconds without one,
    None for ever.
    """

    conversation_id: str
    history_turns: int
    history_characters: int
    expires_after: float | None


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """What the user said and what was answered."""

    said: str
    answer: str


def new_turn(
    options: Any, items: Sequence[Any], expires_after: float | None, *, single: bool
) -> NewTurn | None:
    """The turn that a job is, by the checked options of its task; None without a conversation.

    Raises:
        InvalidInput: it is not one new message of the user.
    """
    if options.conversation is None:
        return None
    if not single:
        raise InvalidInput(
            "a turn of a conversation is one input; send `input`, not `inputs`",
            "inputs",
            "conversation_takes_one",
        )
    roles = [message["role"] for message in items[0]["messages"]]
    if roles not in (["user"], ["system", "user"]):
        raise InvalidInput(
            "input.messages: with options.conversation send the new message of the user, alone or "
            "after a system message; the earlier ones are kept in the conversation",
            "input.messages",
            "conversation_keeps_history",
        )
    return NewTurn(
        options.conversation, options.history_turns, options.history_characters, expires_after
    )


def refuse_turn(turn: object, way: str) -> None:
    """Refuse a conversation where none can be kept; ``way`` says how the job came.

    Raises:
        InvalidInput: ``turn`` is there.
    """
    if turn is not None:
        raise InvalidInput(
            f"{way} can be no turn of a conversation; send it over HTTP or by Producer.submit",
            "options.conversation",
            "no_conversation_here",
        )


def parts_of(item: Mapping[str, Any]) -> tuple[str | None, str]:
    """The system message of a turn's item, if any, and what the user says.

    >>> parts_of({"messages": [{"role": "user", "content": "你好"}]})
    (None, '你好')
    """
    *before, last = item["messages"]
    return (before[0]["content"] if before else None), last["content"]


def fitting(newest_first: Sequence[AnsweredTurn], characters: int) -> list[AnsweredTurn]:
    """The newest turns that fit into ``characters`` together, oldest first.

    >>> turns = [AnsweredTurn("三", "3"), AnsweredTurn("二二", "22"), AnsweredTurn("一", "1")]
    >>> [turn.said for turn in fitting(turns, 6)], fitting(turns, 1)
    (['二二', '三'], [])
    """
    kept: list[AnsweredTurn] = []
    for turn in newest_first:
        characters -= len(turn.said) + len(turn.answer)
        if characters < 0:
            break
        kept.append(turn)
    return kept[::-1]


def with_history(
    item: Mapping[str, Any], system: str | None, turns: Sequence[AnsweredTurn], left_out: int
) -> dict[str, Any]:
    """A turn's item with the conversation before it, as a job stores it.

    ``system`` holds where the item has no system message of its own; ``left_out`` are the
    messages that found no room.

    >>> item = {"messages": [{"role": "user", "content": "几点？"}]}
    >>> made = with_history(item, "简短。", [AnsweredTurn("你好", "您好")], 2)
    >>> [one["content"] for one in made["messages"]], made["history"]
    (['简短。', '你好', '您好', '几点？'], [2, 2])
    """
    own, said = parts_of(item)
    first = own if own is not None else system
    messages = [] if first is None else [_message("system", first)]
    for turn in turns:
        messages += [_message("user", turn.said), _message("assistant", turn.answer)]
    messages.append(_message("user", said))
    return {"messages": messages, "history": [2 * len(turns), left_out]}


def answer_of(result: str | None) -> str | None:
    """The assistant's message in the stored result of a turn's job; None where there is none.

    >>> answer_of('{"outputs": [{"message": {"role": "assistant", "content": "您好"}}]}')
    '您好'
    """
    if result is None:
        return None
    output = orjson.loads(result)["outputs"][0]
    content = output.get("message", {}).get("content")
    return content if isinstance(content, str) else None


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
