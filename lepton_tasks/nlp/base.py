"""The contract of an NLP task: one file a task, the same three verbs for each.

A task says what goes in and comes out (pydantic), what one item costs, and how
an item becomes a model's input (:meth:`Task.encode`) and a model's raw answer
becomes the output (:meth:`Task.decode`). The forward pass between the two
belongs to the engine that the task names; nothing here imports torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

OptionsT = TypeVar("OptionsT", bound="TaskOptions")
OutputT = TypeVar("OutputT", bound=BaseModel)


class TaskItem(BaseModel):
    """An item that is more than one text: a question with its context, a pair.

    Every string in it is a text and is admitted like a bare one. Numbers, choices and
    whatever else is the same for all items of a job belong into the options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    interactive: ClassVar[bool] = True
    """Whether an answer takes a forward pass. An item of a task that is not interactive takes
    minutes to hours: it is a job alone, of workers that serve no models, with a process and
    a progress of its own (``workers.longruns``), and its examples do not run at warm-up."""
    item_model: ClassVar[type[TaskItem] | None] = None
    """Fields of an item; None where it is one text."""
    conversational: ClassVar[bool] = False
    """Whether items are dialogues (``messages``) that are answered by a ``message``: jobs may then
    be turns of a stored conversation. The options have ``conversation`` and bounds of its history.
    """
    options_model: type[OptionsT]
    output_model: type[OutputT]
    rate_limit: ClassVar[str | None] = None
    """Most jobs that one worker process begins in a time, as Celery writes it: ``10/m``."""
    max_characters: ClassVar[int] = 20_000
    """Most characters of an item, all its texts together."""
    max_bytes: ClassVar[int] = 64 * 1024
    examples: ClassVar[Sequence[Example]]

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of one item."""
        if self.item_model is not None:
            return self.item_model.model_json_schema()
        return {"type": "string", "minLength": 1, "maxLength": self.max_characters}

    def read_item(self, value: Any) -> Any:
        """Make of an admitted JSON value what :meth:`encode` takes: a text or an item_model."""
        return value if self.item_model is None else self.item_model.model_validate(value)

    def from_text(self, text: str) -> Any:
        """Make an item of one text, as people type it; None where an item needs more."""
        return text if self.item_model is None else None

    def check_fit(self, item: Any, options: Mapping[str, Any], param: str) -> None:
        """Refuse an admitted ``item`` that does not go with checked ``options``.

        A task whose options decide what an item may be overrides this.

        Raises:
            InvalidInput: they do not go together; ``param``, where the item stands, begins the
                name of the field.
        """

    def cost(self, item: Any) -> int:
        """Tokens that an admitted ``item`` is charged, estimated from its bytes (≥ 1)."""
        size = sum(len(text.encode("utf-8", "ignore")) for _, text in texts_of(item))
        return max(1, size // 4)

    def most_written(self, options: OptionsT) -> int:
        """Tokens that the answer to one item may have; 0 for a task that writes no text."""
        return 0

    def job_cost(self, items: Iterable[Any], options: Mapping[str, Any]) -> int:
        """Tokens that a job is charged: those of its ``items``, and those it lets be written.

        ``options`` are JSON values that were admitted.
        """
        written = self.most_written(self.options_model.model_validate(options))
        return sum(self.cost(item) + written for item in items)

    def model_of(self, options: OptionsT) -> str | None:
        """Catalogue name of the model that serves a job; None for the task's default.

        A task whose other options need a model of their own overrides this.
        """
        return options.model

    def examples_for(self, model: str) -> list[tuple[Example, OptionsT]]:
        """The examples that ``model`` runs, with their options.

        Those that need it, or else those that need no model by name.
        """
        read = [
            (one, self.options_model.model_validate(dict(one.options))) for one in self.examples
        ]
        own = [(one, options) for one, options in read if self.model_of(options) == model]
        return own or [(one, options) for one, options in read if self.model_of(options) is None]

    @abstractmethod
    def encode(self, item: Any, options: OptionsT) -> ModelInput:
        """Turn an item, as :meth:`read_item` made it, into what the engine takes."""

    @abstractmethod
    def decode(self, raw: Mapping[str, Any], model_input: ModelInput, options: OptionsT) -> OutputT:
        """Turn the engine's raw result for one item into the task's output."""


def texts_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of an item, a JSON value, with the place that it has in it.

    >>> list(texts_of("你好"))
    [('', '你好')]
    >>> list(texts_of({"question": "Who?", "passages": ["He.", "She."]}))
    [('.question', 'Who?'), ('.passages[0]', 'He.'), ('.passages[1]', 'She.')]
    """
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from texts_of(part, f"{path}.{name}")
    elif isinstance(value, Sequence):
        for place, part in enumerate(value):
            yield from texts_of(part, f"{path}[{place}]")


def characters_of(value: Any) -> int:
    """Characters of all texts of an item."""
    return len(value) if isinstance(value, str) else sum(len(text) for _, text in texts_of(value))
