"""``POST /v1/embeddings``: vectors of texts, in base64 or as numbers."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

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

router = APIRouter(prefix="/v1/embeddings", tags=["openai"], route_class=OpenAiRoute)

_TASK: Final = "embedding"
_DEFAULT: Final = "text-embedding-3-small"


class EmbeddingBody(Body):
    """Texts to embed. ``encoding_format`` is ``float`` where it is left out, as at OpenAI."""

    input: Annotated[Any, described({"type": ["string", "array"]})]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


@router.post("", openapi_extra=takes(EmbeddingBody))
async def embed(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Embed texts: one vector each, in order. `space` says which vectors can be compared."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_body(as_object(raw), EmbeddingBody)
    texts = _texts(body.input)
    options = {"model": model_option(_TASK, body.model), "dimensions": body.dimensions}
    call = Call.of(request, tenant, raw)
    requests = in_jobs(_TASK, texts, options, body.priority, services.settings.max_items_per_job)
    names = {"inputs": "input", "options.dimensions": "dimensions", "options.model": "model"}
    if isinstance(body.input, str):
        names = {"inputs[0]": "input"} | names
    try:
        jobs, accepted = await services.answering.answer(call, requests)
    except InvalidInput as error:
        raise renamed(error, names) from error
    outputs = [output for job in jobs for output in outputs_of(job)]
    tokens = sum(services.producer.admission.task(_TASK).cost(text) for text in texts)
    answer = {
        "object": "list",
        "model": body.model or _DEFAULT,
        "data": [
            {
                "object": "embedding",
                "index": index,
                "embedding": packed(output["vector"], body.encoding_format),
                "space": output["space"],
                "language": output["language"],
                "truncated": output["truncated"],
            }
            for index, output in enumerate(outputs)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return reply(response, answer, accepted.headers)


def packed(vector: Sequence[float], encoding_format: str) -> str | Sequence[float]:
    """A vector as it travels: numbers, or base64 of little-endian float32.

    >>> packed([1.0, -2.0], "base64"), packed([1.0, -2.0], "float")
    ('AACAPwAAAMA=', [1.0, -2.0])
    """
    if encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _texts(value: object) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ApiError(400, "invalid_type", "input must be a string or a list of them", "input")
    if any(isinstance(one, int | list) for one in value):
        raise ApiError(
            400,
            "unsupported_tokens",
            "input holds token numbers, which are those of another model; send texts "
            "(with LangChain: check_embedding_ctx_length=False)",
            "input",
        )
    return value
