"""What tasks that generate text share: how to generate, the input that says so, the raw result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypedDict

from lepton_tasks.nlp.base import ModelInput


@dataclass(frozen=True, slots=True)
class GenerationSpec:
    """How to generate one text.

    ``temperature`` 0 takes the likeliest token every time; above it tokens are drawn,
    from the ``top_k`` likeliest (0 for all) that together hold ``top_p``, with the
    random numbers of ``seed``. ``stop`` strings end the text and are not part of it.
    ``beams`` above 1 is beam search, for encoder-decoder models alone; these take 0 beams
    and 0 ``max_new_tokens`` for what their catalogue entry has. ``stream`` asks that the
    text be published while it grows.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    stop: tuple[str, ...] = ()
    beams: int = 1
    stream: bool = False


@dataclass(frozen=True, slots=True)
class GenerationInput(ModelInput):
    """One item as a generating engine takes it: the text, its language, how to generate."""

    spec: GenerationSpec = field(default_factory=GenerationSpec)


class GeneratedText(TypedDict):
    """An engine's raw result for one item.

    Tokens are the model's own, its end token included. ``truncated`` says that the
    input was longer than the model takes and was cut.
    """

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    prompt_tokens: int
    completion_tokens: int
    truncated: bool
