"""``/v1/chat/completions``: the assistant's next message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.aliases import model_told
from lepton_tasks.openai.bodies import read_body
from lepton_tasks.openai.wire import WireRequest
from lepton_tasks.openai.writing import OPTIONS, WritingBody, usage_of, without_neutral

_TASK: Final = "chat"
_ROLES: Final = {"developer": "system"}


class ChatBody(WritingBody):
    """The messages so far, and how to answer."""

    messages: Annotated[Any, WithJsonSchema({"type": "array", "items": {"type": "object"}})]
    max_completion_tokens: int | None = None


class ChatCompletions:
    """Reads and answers calls of it."""

    path = "/v1/chat/completions"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Take the messages.

        Raises:
            InvalidInput: a field is wrong, or a message has what we have not.
        """
        return chat_request(read_chat(body))


def read_chat(body: Mapping[str, Any]) -> ChatBody:
    """Check the fields of a body.

    Raises:
        InvalidInput: one is wrong.
    """
    return read_body(without_neutral(body), ChatBody)


def chat_request(body: ChatBody) -> WireRequest:
    """What is asked.

    Raises:
        InvalidInput: a message is none, or has what we have not.
    """

    def reply(
        bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
    ) -> dict[str, Any]:
        [output] = outputs
        choice = {
            "index": 0,
            "message": {**output["message"], "refusal": None},
            "finish_reason": output["finish_reason"],
            "logprobs": None,
        }
        head = chat_head(body, bare_id, created, "chat.completion", model)
        return {**head, "choices": [choice], "usage": usage_of(output)}

    return WireRequest(
        task=_TASK,
        inputs=({"messages": read_messages(body.messages)},),
        options=_options(body),
        names=_names(body),
        reply=reply,
        single=True,
        stream=body.stream,
        priority=body.priority,
        metadata=body.metadata,
    )


def chat_head(
    body: ChatBody, bare_id: str, created: float, kind: str, model: str | None = None
) -> dict[str, Any]:
    """What an answer and all the events of a stream begin with; ``kind`` is their ``object``.

    ``model`` is the one that answered, where it is known by then.
    """
    return {
        "id": f"chatcmpl_{bare_id}",
        "object": kind,
        "created": int(created),
        "model": model_told(body.model, model),
        "service_tier": body.service_tier or "auto",
    }


def read_messages(value: object) -> list[dict[str, Any]]:
    """Messages as the task takes them; a list of text parts is one text.

    >>> read_messages([{"role": "developer", "content": [{"type": "text", "text": "简短"}]}])
    [{'role': 'system', 'content': '简短'}]

    Raises:
        InvalidInput: a message is none, or has what we have not; ``param`` names it.
    """
    if not isinstance(value, list):
        raise InvalidInput("messages must be a list", "messages", "invalid_type")
    return [_message(one, f"messages[{place}]") for place, one in enumerate(value)]


def _message(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{place} must be an object", place, "invalid_type")
    for name, part in value.items():
        if name not in ("role", "content") and part not in (None, []):
            where = f"{place}.{name}"
            raise InvalidInput(f"{where} is not supported here", where, "unsupported_parameter")
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
        raise InvalidInput(
            f'{place} must be {{"type": "text", "text": …}}', place, "unsupported_part"
        )
    return text


def _options(body: ChatBody) -> dict[str, Any]:
    options = body.options(_TASK)
    most = body.max_completion_tokens
    if most is not None:
        if options.get("max_tokens", most) != most:
            raise InvalidInput(
                "max_tokens and max_completion_tokens say the same; send one of them",
                "max_tokens",
                "invalid_value",
            )
        options["max_tokens"] = most
    return options


def _names(body: ChatBody) -> dict[str, str]:
    """Our names of what may be wrong, and the request's."""
    names = {f"options.{name}": name for name in (*OPTIONS, "model")}
    if body.max_completion_tokens is not None:
        names["options.max_tokens"] = "max_completion_tokens"
    for item in ("inputs[0]", "input"):
        names |= {f"{item}.messages": "messages", item: "messages"}
    return names
