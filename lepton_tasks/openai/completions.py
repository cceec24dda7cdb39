"""``/v1/completions``: a prompt goes in, the text that follows comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.aliases import model_told
from lepton_tasks.openai.bodies import read_body
from lepton_tasks.openai.wire import WireRequest, counted
from lepton_tasks.openai.writing import OPTIONS, WritingBody, usage_of, without_neutral

_TASK: Final = "generation"


class CompletionBody(WritingBody):
    """A prompt, or a list of them, and how to go on."""

    prompt: Annotated[Any, WithJsonSchema({"type": ["string", "array"]})]


class Completions:
    """Reads and answers calls of it."""

    path = "/v1/completions"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Take the prompts.

        Raises:
            InvalidInput: a field is wrong, or a prompt is no text.
        """
        return completion_request(read_completion(body))


def read_completion(body: Mapping[str, Any]) -> CompletionBody:
    """Check the fields of a body.

    Raises:
        InvalidInput: one is wrong.
    """
    return read_body(without_neutral(body), CompletionBody)


def completion_request(body: CompletionBody) -> WireRequest:
    """What is asked.

    Raises:
        InvalidInput: there are no prompts, too many, or some that are no texts.
    """
    names = {f"options.{name}": name for name in (*OPTIONS, "model")} | {"inputs": "prompt"}
    if isinstance(body.prompt, str):
        names = {"inputs[0]": "prompt"} | names

    def reply(
        bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
    ) -> dict[str, Any]:
        choices = [
            text_choice(index, output["text"], output["finish_reason"])
            for index, output in enumerate(outputs)
        ]
        head = completion_head(body, bare_id, created, model)
        return {**head, "choices": choices, "usage": usage_of(*outputs)}

    return WireRequest(
        task=_TASK,
        inputs=counted(_prompts(body), "prompt"),
        options=body.options(_TASK),
        names=names,
        reply=reply,
        stream=body.stream,
        priority=body.priority,
        metadata=body.metadata,
    )


def completion_head(
    body: CompletionBody, bare_id: str, created: float, model: str | None = None
) -> dict[str, Any]:
    """What an answer and all the events of a stream begin with.

    ``model`` is the one that answered, where it is known by then.
    """
    return {
        "id": f"cmpl_{bare_id}",
        "object": "text_completion",
        "created": int(created),
        "model": model_told(body.model, model),
    }


def text_choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    """A text, or a piece of one, in an answer."""
    return {"index": index, "text": text, "finish_reason": reason, "logprobs": None}


def _prompts(body: CompletionBody) -> list[Any]:
    if isinstance(body.prompt, str):
        return [body.prompt]
    if not isinstance(body.prompt, list):
        raise InvalidInput("prompt must be a string or a list of them", "prompt", "invalid_type")
    if any(isinstance(one, int | list) for one in body.prompt):
        raise InvalidInput(
            "prompt holds token numbers, which are those of another model; send texts",
            "prompt",
            "unsupported_tokens",
        )
    if body.stream and len(body.prompt) != 1:
        raise InvalidInput("prompt must be one where stream is set", "prompt", "unsupported_value")
    return body.prompt
