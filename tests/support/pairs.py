"""A task whose items are two texts, for tests of what every way in makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from lepton_tasks.nlp.base import Example, ModelInput, Task, TaskItem, TaskOptions


class Pair(TaskItem):
    """A text, others to compare it with, and whether case counts."""

    text: str
    others: tuple[str, ...] = ()
    case: bool = True


class PairOutput(BaseModel):
    """Whether the texts are the same."""

    same: bool


class Pairs(Task[TaskOptions, PairOutput]):
    """Compares texts."""

    name = "pairs"
    summary = "Compare texts."
    engine = "pairs"
    item_model = Pair
    options_model = TaskOptions
    output_model = PairOutput
    max_characters = 40
    examples = (Example({"text": "好", "others": ["好"]}),)

    def encode(self, item: Pair, options: TaskOptions) -> ModelInput:
        """Join the texts."""
        return ModelInput("|".join([item.text, *item.others]), "en")

    def decode(
        self, raw: Mapping[str, Any], model_input: ModelInput, options: TaskOptions
    ) -> PairOutput:
        """Read the answer."""
        return PairOutput(same=bool(raw["same"]))
