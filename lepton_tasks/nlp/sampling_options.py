"""Options of every task that lets a decoder write: how tokens are drawn, and what ends a text."""

from __future__ import annotations

import secrets
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.generating import GenerationSpec

MOST_STOPS: Final = 4
LONGEST_STOP: Final = 64
MOST_TOKENS: Final = 8192
LEAST_TEMPERATURE: Final = 0.01
"""Below it, and above 0, scores overflow when they are divided by it."""
_SEED_BITS: Final = 53
"""Of a seed that is drawn here: a JavaScript number holds it exactly."""


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("a stop string must not hold a NUL")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a stop string holds half of a surrogate pair; send well-formed Unicode")
    return text


def _drawable(temperature: float) -> float:
    if 0.0 < temperature < LEAST_TEMPERATURE:
        raise ValueError(f"temperature is 0, or at least {LEAST_TEMPERATURE}")
    return temperature


StopString = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP), AfterValidator(_storable)]


class SamplingOptions(TaskOptions):
    """How a text is written, and when it ends.

    ``max_tokens`` is the most that are written. ``temperature`` 0 takes the likeliest token
    every time; above it tokens are drawn, from the ``top_k`` likeliest (0 for all) that
    together hold ``top_p``. The same ``seed`` draws the same text; without one, every item
    gets its own. ``stop`` strings, one or a list, end the text and are not part of it.
    ``stream`` publishes the text while it grows.
    """

    max_tokens: int = Field(default=256, ge=1, le=MOST_TOKENS)
    temperature: Annotated[float, AfterValidator(_drawable)] = Field(
        default=0.0, ge=0.0, le=2.0, allow_inf_nan=False
    )
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, allow_inf_nan=False)
    top_k: int = Field(default=0, ge=0, le=100_000)
    seed: int | None = Field(default=None, ge=0, lt=1 << 63)
    stop: Annotated[tuple[StopString, ...], BeforeValidator(_one_or_several)] = Field(
        default=(), max_length=MOST_STOPS
    )
    stream: bool = False

    def spec(self) -> GenerationSpec:
        """Say it to an engine.

        A text that is drawn without a seed gets one here, so that equal prompts are not
        taken for the same work, and the answer can tell it.

        >>> SamplingOptions(max_tokens=5, stop="。").spec()
        GenerationSpec(max_new_tokens=5, ..., seed=0, stop=('。',), beams=1, stream=False)
        """
        seed = self.seed
        if seed is None:
            seed = secrets.randbits(_SEED_BITS) if self.temperature else 0
        return GenerationSpec(
            max_new_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            seed=seed,
            stop=self.stop,
            stream=self.stream,
        )
