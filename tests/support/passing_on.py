"""What tasks of the tests share that leave everything to their engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from lepton_tasks.nlp.base import ModelInput, Task, TaskOptions

OutputT = TypeVar("OutputT", bound=BaseModel)


class PassingOn(Task[TaskOptions, OutputT]):
    """The engine gets the text as it is; what it answers is the output."""

    options_model = TaskOptions

    def encode(self, item: str, options: TaskOptions) -> ModelInput:
        """Pass the text on."""
        return ModelInput(item, "und")

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: TaskOptions
    ) -> OutputT:
        """Pass the answer on."""
        return self.output_model.model_validate(raw)
