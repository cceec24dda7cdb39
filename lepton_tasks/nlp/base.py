"""The contract of an NLP task: one file a task, the same three verbs for each.

A task says what goes in and comes out (pydantic), what one item costs, and how
an item becomes a model's input (:meth:`Task.encode`) and a model's raw answer
becomes the output (:meth:`Task.decode`). The forward pass between the two
belongs to the engine that the task names; nothing here imports torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

OptionsT = TypeVar("OptionsT", bound="TaskOptions")
OutputT = TypeVar("OutputT", bound=BaseModel)


class TaskOptions(BaseModel):
    """Options every task takes; a task's own options extend these.

    ``language`` is a two-letter code, detected from the text when left out.
    ``model`` is a catalogue name, the task's default when left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One item as an engine takes it: cleaned text and its language."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: shown in the documentation and run at warm-up."""

    input: Any
    options: Mapping[str, Any] = field(default_factory=dict)


class Task(ABC, Generic[OptionsT, OutputT]):
    """One NLP task type: schema in, schema out, cost, encode, decode, examples."""

    name: ClassVar[str]
    """Name in URLs, queues (``<name>.<priority>``) and messages (``lepton.<name>``)."""
    summary: ClassVar[str]
    """One sentence for people who choose a task."""
    engine: ClassVar[str]
    """Name of the engine in ``workers.engines`` that runs the forward pass."""
    options_model: type[OptionsT]
    output_model: type[OutputT]
    rate_limit: ClassVar[str | None] = None
    """Most jobs that one worker process begins in a time, as Celery writes it: ``10/m``."""
    max_characters: ClassVar[int] = 20_000
    max_bytes: ClassVar[int] = 64 * 1024
    examples: ClassVar[Sequence[Example]]

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of one item."""
        return {"type": "string", "minLength": 1, "maxLength": self.max_characters}

    def cost(self, item: str) -> int:
        """Tokens that ``item`` is charged at admission, estimated from its bytes (≥ 1)."""
        return max(1, len(item.encode("utf-8", "ignore")) // 4)

    @abstractmethod
    def encode(self, item: str, options: OptionsT) -> ModelInput:
        """Turn a validated item into what the engine takes."""

    @abstractmethod
    def decode(
        self, raw: Mapping[str, float], model_input: ModelInput, options: OptionsT
    ) -> OutputT:
        """Turn the engine's raw scores for one item into the task's output."""
