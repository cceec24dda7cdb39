"""``POST /v1/moderations``: is this text harmful? As OpenAI's, for texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response

from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.errors import ApiError
from api.openai.aliases import model_option
from api.openai.answering import Call
from api.openai.bodies import Body, read_body
from api.openai.failures import outputs_of
from api.openai.parts import in_jobs
from api.openai.replies import reply
from api.openai.route import OpenAiRoute, renamed
from api.schemas import described
from api.services import ServicesDep
from lepton_tasks.errors import InvalidInput

router = APIRouter(prefix="/v1/moderations", tags=["openai"], route_class=OpenAiRoute)

_TASK: Final = "moderation"
_DEFAULT: Final = "omni-moderation-latest"


class ModerationBody(Body):
    """A text, a list of texts, or a list of parts ``{"type": "text", "text"}`` of one text."""

    input: Annotated[Any, described({"type": ["string", "array"]})]


@router.post("", openapi_extra=takes(ModerationBody))
async def moderate(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Moderate texts: one result each, in order.

    Beside OpenAI's thirteen categories there are those of this task. A category in
    `unsupported_categories` has no trained model for the text's language: its score is 0.
    """
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_body(as_object(raw), ModerationBody)
    texts = read_input(body.input)
    options = {"model": model_option(_TASK, body.model)}
    call = Call.of(request, tenant, raw)
    requests = in_jobs(_TASK, texts, options, body.priority, services.settings.max_items_per_job)
    names = {"inputs": "input", "options.model": "model"}
    if isinstance(body.input, str) or texts != body.input:
        names = {"inputs[0]": "input"} | names
    try:
        jobs, accepted = await services.answering.answer(call, requests)
    except InvalidInput as error:
        raise renamed(error, names) from error
    answer = {
        "id": jobs[0].id.replace("job_", "modr_", 1),
        "model": body.model or _DEFAULT,
        "results": [_result(output) for job in jobs for output in outputs_of(job)],
    }
    return reply(response, answer, accepted.headers)


def read_input(value: object) -> list[Any]:
    r"""The texts of a request; the parts of one text are put together, line by line.

    >>> read_input([{"type": "text", "text": "你好"}, {"type": "text", "text": "hi"}])
    ['你好\nhi']

    Raises:
        ApiError: 400, there is a part that is no text.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ApiError(
            400, "invalid_type", "input must be a string, or a list of strings or parts", "input"
        )
    if not any(isinstance(part, Mapping) for part in value):
        return value
    return ["\n".join(_text(part, f"input[{place}]") for place, part in enumerate(value))]


def _text(part: object, place: str) -> str:
    if not isinstance(part, Mapping):
        raise ApiError(400, "invalid_type", f"{place} must be a part, as the others are", place)
    kind = part.get("type")
    if kind == "image_url":
        raise ApiError(
            400,
            "unsupported_image",
            f"{place}.image_url: images are not moderated here; send text alone",
            f"{place}.image_url",
        )
    if kind != "text" or not isinstance(part.get("text"), str):
        raise ApiError(
            400, "invalid_value", f'{place} must be {{"type": "text", "text": …}}', f"{place}.type"
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
