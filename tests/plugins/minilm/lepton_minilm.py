"""A sentence encoder with a two-class head, as a task from outside: the benchmarks' model.

Producers load this module too, so the engine, which needs torch, has one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions


class MiniLMOutput(BaseModel):
    """Probabilities of two classes without a meaning."""

    first: float
    second: float


class MiniLM(Task[TaskOptions, MiniLMOutput]):
    """Two classes of a text."""

    name = "minilm"
    summary = "Score a text with a small sentence encoder and a fixed head."
    engine = "minilm"
    options_model = TaskOptions
    output_model = MiniLMOutput
    examples = (
        Example("The driver arrived late again, but she was friendly and quick."),
        Example("Honestly, this camera looked nothing like the picture."),
    )

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Pass the text on."""
        return ModelInput(item, "en")

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: TaskOptions
    ) -> MiniLMOutput:
        """Name the two numbers."""
        return MiniLMOutput(first=raw["first"], second=raw["second"])
