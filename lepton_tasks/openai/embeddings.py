"""``/v1/embeddings``: vectors of texts, in base64 or as numbers."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import WithJsonSchema

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.embedding import Embedding
from lepton_tasks.openai.aliases import model_option
from lepton_tasks.openai.bodies import Body, read_body
from lepton_tasks.openai.wire import WireRequest, counted, given

_TASK: Final = Embedding.name
_DEFAULT: Final = "text-embedding-3-small"


class EmbeddingBody(Body):
    """Texts to embed. ``encoding_format`` is ``float`` where it is left out, as at OpenAI."""

    input: Annotated[Any, WithJsonSchema({"type": ["string", "array"]})]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None


class Embeddings:
    """Reads and answers calls of it."""

    path = "/v1/embeddings"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Take the texts.

        Raises:
            InvalidInput: a field is wrong.
        """
        read = read_body(body, EmbeddingBody)
        texts = counted(read_texts(read.input), "input")
        names = {"inputs": "input", "options.dimensions": "dimensions", "options.model": "model"}
        if isinstance(read.input, str):
            names = {"inputs[0]": "input"} | names

        def reply(
            bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
        ) -> dict[str, Any]:
            tokens = sum(map(Embedding().cost, texts))
            return {
                "object": "list",
                "model": read.model or _DEFAULT,
                "data": [
                    _vector(index, output, read.encoding_format)
                    for index, output in enumerate(outputs)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }

        return WireRequest(
            task=_TASK,
            inputs=texts,
            options=given(model=model_option(_TASK, read.model), dimensions=read.dimensions),
            names=names,
            reply=reply,
            priority=read.priority,
        )


def packed(vector: Sequence[float], encoding_format: str) -> str | Sequence[float]:
    """A vector as it travels: numbers, or base64 of little-endian float32.

    >>> packed([1.0, -2.0], "base64"), packed([1.0, -2.0], "float")
    ('AACAPwAAAMA=', [1.0, -2.0])
    """
    if encoding_format == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def read_texts(value: object) -> list[Any]:
    """The texts of a request.

    >>> read_texts("茶")
    ['茶']

    Raises:
        InvalidInput: it is none, and no list; or it holds token numbers.
    """
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise InvalidInput("input must be a string or a list of them", "input", "invalid_type")
    if any(isinstance(one, int | list) for one in value):
        raise InvalidInput(
            "input holds token numbers, which are those of another model; send texts "
            "(with LangChain: check_embedding_ctx_length=False)",
            "input",
            "unsupported_tokens",
        )
    return value


def _vector(index: int, output: Mapping[str, Any], encoding_format: str) -> dict[str, Any]:
    return {
        "object": "embedding",
        "index": index,
        "embedding": packed(output["vector"], encoding_format),
        "space": output["space"],
        "language": output["language"],
        "truncated": output["truncated"],
    }
