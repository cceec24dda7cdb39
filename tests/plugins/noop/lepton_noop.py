"""A task that does nothing, brought from outside: what the path of a job costs by itself.

Its folder on PYTHONPATH is what an installed package is to Python, so this is also the
example of a task and an engine that users add by entry points and a catalogue file.
Producers load this module too, so the engine, which needs torch, has one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions


class NoopOutput(BaseModel):
    """How many characters the text has."""

    characters: int


class Noop(Task[TaskOptions, NoopOutput]):
    """Count characters."""

    name = "noop"
    summary = "Count the characters of a text."
    engine = "noop"
    options_model = TaskOptions
    output_model = NoopOutput
    examples = (Example("one"), Example("二"))

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Pass the text on."""
        return ModelInput(item, "und")

    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: TaskOptions
    ) -> NoopOutput:
        """Read the count."""
        return NoopOutput(characters=int(raw["characters"]))
