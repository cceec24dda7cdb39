"""A task that tells on itself: each computation of a text is written down before it happens.

A text is ``KEY VERB``: ``answer``, ``raise`` for an input that fails, ``kill`` for one that
takes the process down, ``sleep 0.5``. The answer names the worker that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskOptions


class ChaosOutput(BaseModel):
    """Which worker computed it."""

    by: str


class Chaos(Task[TaskOptions, ChaosOutput]):
    """Do what the text says, and say who did it."""

    name = "chaos"
    summary = "Do what the text says, and say who did it."
    engine = "chaos"
    options_model = TaskOptions
    output_model = ChaosOutput
    examples = (Example("warm answer"), Example("热 answer"))

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Pass the text on."""
        return ModelInput(item, "und")

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: TaskOptions
    ) -> ChaosOutput:
        """Read the name."""
        return ChaosOutput(by=raw["by"])
