"""What requests for a written text have in common: how it is written, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.aliases import model_option
from lepton_tasks.openai.bodies import Body

_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "n": (1,),
    "best_of": (1,),
    "frequency_penalty": (0, 0.0),
    "presence_penalty": (0, 0.0),
    "logit_bias": ({},),
    "logprobs": (False,),
    "echo": (False,),
    "suffix": ("",),
    "store": (False,),
    "tools": ([],),
    "parallel_tool_calls": (True, False),
    "tool_choice": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Values of parameters that we have not, which ask for nothing."""
OPTIONS: Final = ("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "stream")
"""Options of a task that writes, named as the parameters are."""


class StreamOptions(BaseModel):
    """``include_usage`` asks for the number of tokens at the end of a stream."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    include_usage: bool = False
    include_obfuscation: bool = False


class WritingBody(Body):
    """How a text is written; what is left out is as the task has it."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    metadata: dict[str, str] | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the number of its tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    def options(self, task: str) -> dict[str, Any]:
        """Options of a job of ``task``; what is left out is the task's to decide."""
        given = {name: getattr(self, name) for name in OPTIONS}
        given["stream"] = self.stream or None
        given["model"] = model_option(task, self.model)
        return {name: value for name, value in given.items() if value is not None}


def without_neutral(given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out parameters that we have not where their value asks for nothing.

    >>> without_neutral({"prompt": "a", "n": 1, "presence_penalty": 0, "logit_bias": None})
    {'prompt': 'a'}
    >>> without_neutral({"n": 2})
    Traceback (most recent call last):
    ...
    lepton_tasks.errors.InvalidInput: n: one text is written a request; send the request again ...

    Raises:
        InvalidInput: more than one text is asked for.
    """
    left = {name: value for name, value in given.items() if value is not None}
    for name in ("n", "best_of"):
        if left.get(name, 1) != 1 or isinstance(left.get(name), bool):
            raise InvalidInput(
                f"{name}: one text is written a request; send the request again for more",
                name,
                "unsupported_value",
            )
    return {name: value for name, value in left.items() if value not in _NEUTRAL.get(name, ())}


def usage_of(*outputs: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of answers, as the models counted them.

    >>> usage_of({"usage": {"prompt_tokens": 3, "completion_tokens": 5}})
    {'prompt_tokens': 3, 'completion_tokens': 5, 'total_tokens': 8}
    """
    read = sum(output["usage"]["prompt_tokens"] for output in outputs)
    written = sum(output["usage"]["completion_tokens"] for output in outputs)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
