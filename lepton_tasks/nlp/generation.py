"""Generation: a prompt goes in, the text that a language model writes on comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lepton_tasks.nlp.base import Example, ModelInput, Task
from lepton_tasks.nlp.generating import GenerationInput
from lepton_tasks.nlp.language import Language, detect_language
from lepton_tasks.nlp.sampling_options import SamplingOptions


class GenerationOptions(SamplingOptions):
    """How to write on.

    ``max_tokens`` is the most that are written. ``temperature`` 0 takes the likeliest token
    every time; above it tokens are drawn, from the ``top_k`` likeliest (0 for all) that
    together hold ``top_p``. The same ``seed`` draws the same text; without one, every item
    gets its own. ``stop`` strings, one or a list, end the text and are not part of it.
    ``stream`` publishes the text while it grows. ``language`` is only told in the answer: the
    text goes on in that of the prompt.
    """

    language: Language | None = None


class Usage(BaseModel):
    """Tokens as the model counts them: the prompt's, and the text's with its end token."""

    model_config = ConfigDict(extra="forbid")

    prompt_tokens: int
    completion_tokens: int


class GenerationOutput(BaseModel):
    """The text after the prompt.

    ``finish_reason`` is ``stop`` where the model or a stop string ended it, ``length`` where it
    has ``max_tokens``, ``cancelled`` where the job was cancelled meanwhile. ``seed`` is that of
    a text whose tokens were drawn, null otherwise. ``truncated`` says that the model did not
    read all of the prompt; a decoder always does, and a prompt that is too long for it fails.
    """

    model_config = ConfigDict(extra="forbid")

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    usage: Usage
    seed: int | None
    language: str
    truncated: bool


class Generation(Task[GenerationOptions, GenerationOutput]):
    """Write on from one prompt. The engine's raw result is a GeneratedText."""

    name = "generation"
    summary = "Write on from a prompt in English or Chinese."
    engine = "decoder"
    options_model = GenerationOptions
    output_model = GenerationOutput
    examples = (
        Example("今天", {"max_tokens": 24}),
        Example("I would like to", {"max_tokens": 24}),
        Example(
            "今天天气很好，",
            {"max_tokens": 24, "temperature": 0.8, "top_p": 0.9, "seed": 7, "stop": ["。"]},
        ),
        Example(
            "In this paper, we",
            {"max_tokens": 24, "temperature": 0.8, "top_k": 40, "seed": 7, "stop": ["."]},
        ),
    )

    def most_written(self, options: GenerationOptions) -> int:
        """All tokens that are asked for: the model works for each."""
        return options.max_tokens

    def encode(self, item: str, options: GenerationOptions) -> GenerationInput:
        """Take the prompt as it is: white space and line ends mean something to the model."""
        return GenerationInput(item, options.language or detect_language(item), options.spec())

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: GenerationOptions
    ) -> GenerationOutput:
        """Sort the engine's raw result into the output."""
        if not isinstance(model_input, GenerationInput):
            raise TypeError(f"generation decodes GenerationInput, not {type(model_input)}")
        return GenerationOutput(
            text=raw["text"],
            finish_reason=raw["finish_reason"],
            usage=Usage(
                prompt_tokens=raw["prompt_tokens"], completion_tokens=raw["completion_tokens"]
            ),
            seed=model_input.spec.seed if options.temperature else None,
            language=model_input.language,
            truncated=raw["truncated"],
        )
