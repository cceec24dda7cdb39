"""Text generation: a prompt goes in, the text that a decoder model writes on comes out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from lepton_tasks.nlp.language import detect_language

StopString = Annotated[str, Field(min_length=1, max_length=64)]


class GenerationOptions(TaskOptions):
    """How to write.

    ``temperature`` 0 gives the same text every time. Above it, so does the same
    ``seed``; without one, every job draws its own. ``stop`` strings end the text and are
    not part of it. ``stream`` publishes the text while it grows.
    """

    max_new_tokens: int = Field(default=256, ge=1, le=4096)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    top_k: int = Field(default=0, ge=0, le=1000)
    seed: int | None = Field(default=None, ge=0, lt=1 << 63)
    stop: tuple[StopString, ...] = Field(default=(), max_length=4)
    stream: bool = False


class Usage(BaseModel):
    """Tokens as the model counts them; those of the text include its end token."""

    model_config = ConfigDict(extra="forbid")

    prompt_tokens: int
    completion_tokens: int


class GenerationOutput(BaseModel):
    """The text after the prompt.

    ``finish_reason`` is ``stop`` where the model or a stop string ended it, ``length``
    where it has ``max_new_tokens``, ``cancelled`` where the job was cancelled meanwhile.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    usage: Usage


class TextGeneration(Task[GenerationOptions, GenerationOutput]):
    """Write on from one prompt."""

    name = "generation"
    summary = "Write on from a prompt with a decoder model."
    engine = "decoder"
    options_model = GenerationOptions
    output_model = GenerationOutput
    examples = (
        Example("The parcel came on Monday, and", {"max_new_tokens": 8}),
        Example("今天天气很好，", {"max_new_tokens": 8, "temperature": 0.7, "seed": 1}),
    )

    def encode(self, item: str, options: GenerationOptions) -> ModelInput:
        """Take the prompt as it is, and settle the seed.

        A drawn text without a seed gets one of its own, so that equal prompts are not
        taken for the same work.
        """
        seed = options.seed
        if seed is None:
            seed = secrets.randbits(63) if options.temperature else 0
        return GenerationInput(
            item,
            options.language or detect_language(item),
            GenerationSpec(
                max_new_tokens=options.max_new_tokens,
                temperature=options.temperature,
                top_p=options.top_p,
                top_k=options.top_k,
                seed=seed,
                stop=options.stop,
                stream=options.stream,
            ),
        )

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: GenerationOptions
    ) -> GenerationOutput:
        """Sort the engine's raw result into the output."""
        return GenerationOutput(
            text=raw["text"],
            finish_reason=raw["finish_reason"],
            usage=Usage(
                prompt_tokens=raw["prompt_tokens"], completion_tokens=raw["completion_tokens"]
            ),
        )
