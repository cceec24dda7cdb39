"""``/v1/moderations``: is this text harmful? As OpenAI's, for texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.aliases import model_option
from lepton_tasks.openai.bodies import Body, read_body
from lepton_tasks.openai.wire import WireRequest, counted, given

_TASK: Final = "moderation"
_DEFAULT: Final = "omni-moderation-latest"


class ModerationBody(Body):
    """A text, a list of texts, or a list of parts ``{"type": "text", "text"}`` of one text."""

    input: Annotated[Any, WithJsonSchema({"type": ["string", "array"]})]


class Moderations:
    """Reads and answers calls of it."""

    path = "/v1/moderations"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Take the texts.

        Raises:
            InvalidInput: a field is wrong, or a part is no text.
        """
        read = read_body(body, ModerationBody)
        texts = read_input(read.input)
        names = {"inputs": "input", "options.model": "model"}
        if isinstance(read.input, str) or texts != read.input:
            names = {"inputs[0]": "input"} | names

        def reply(
            bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
        ) -> dict[str, Any]:
            return {
                "id": f"modr_{bare_id}",
                "model": read.model or _DEFAULT,
                "results": [_result(output) for output in outputs],
            }

        return WireRequest(
            task=_TASK,
            inputs=counted(texts, "input"),
            options=given(model=model_option(_TASK, read.model)),
            names=names,
            reply=reply,
            priority=read.priority,
        )


def read_input(value: object) -> list[Any]:
    r"""The texts of a request; the parts of one text are put together, line by line.

    >>> read_input([{"type": "text", "text": "你好"}, {"type": "text", "text": "hi"}])
    ['你好\nhi']

    Raises:
        InvalidInput: there is a part that is no text.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise InvalidInput(
            "input must be a string, or a list of strings or parts", "input", "invalid_type"
        )
    if not any(isinstance(part, Mapping) for part in value):
        return value
    return ["\n".join(_text(part, f"input[{place}]") for place, part in enumerate(value))]


def _text(part: object, place: str) -> str:
    if not isinstance(part, Mapping):
        raise InvalidInput(f"{place} must be a part, as the others are", place, "invalid_type")
    kind = part.get("type")
    if kind == "image_url":
        raise InvalidInput(
            f"{place}.image_url: images are not moderated here; send text alone",
            f"{place}.image_url",
            "unsupported_image",
        )
    if kind != "text" or not isinstance(part.get("text"), str):
        raise InvalidInput(
            f'{place} must be {{"type": "text", "text": …}}', f"{place}.type", "invalid_value"
        )
    return str(part["text"])


def _result(output: Mapping[str, Any]) -> dict[str, Any]:
    unsupported: Sequence[str] = output["unsupported_categories"]
    return {
        **output,
        "category_applied_input_types": {
            name: [] if name in unsupported else ["text"] for name in output["categories"]
        },
    }
