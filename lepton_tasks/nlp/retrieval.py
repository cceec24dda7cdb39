"""Tasks that may look into a corpus: what they ask of it, and what they are given.

The option ``corpus`` names a corpus of the caller's tenant. It may take the place of one field
of an item. A worker looks the candidates up before the item is encoded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.base import ModelInput, OptionsT, OutputT, Task, TaskOptions

CorpusName = Annotated[str, Field(min_length=1, max_length=64)]
"""Name or id of a corpus."""


class CorpusOptions(TaskOptions):
    """Options of a task that may look into a corpus."""

    corpus: CorpusName | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is looked for: passages near to ``text``, at most ``most``.

    ``by`` the words that they share with it, the best passage of each document alone where
    ``one_each``; or whole stretches of documents that may be copied (``wording``).
    """

    corpus: str
    text: str
    most: int
    by: Literal["words", "wording"] = "words"
    one_each: bool = False


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage of a document: its ``text`` stands there from the character ``start`` on."""

    document: str
    text: str
    start: int


class CorpusTask(Task[OptionsT, OutputT]):
    """A task whose items may be looked up in a corpus."""

    from_corpus: ClassVar[str | None] = None
    """The field of an item whose place a corpus takes; None where items are the same with one."""

    @abstractmethod
    def lookup(self, item: Any, options: OptionsT) -> Lookup | None:
        """What an item needs of the corpus that ``options`` name; None where they name none."""

    @abstractmethod
    def encode_found(
        self, item: Any, found: Sequence[FoundPassage], options: OptionsT
    ) -> ModelInput:
        """As :meth:`encode`, with what was found, the likeliest first."""

    def check_item(self, item: Mapping[str, Any], corpus: str | None, param: str) -> None:
        """Refuse an item that lacks a field which no corpus replaces, or has it beside one.

        Raises:
            InvalidInput: ``param`` is the field.
        """
        field = self.from_corpus
        if field is None:
            return
        given = item.get(field) is not None
        if corpus is None and not given:
            raise InvalidInput(
                f"{param}.{field}: Field required, unless the option `corpus` names where to look",
                f"{param}.{field}",
                "invalid_item",
            )
        if corpus is not None and given:
            raise InvalidInput(
                f"{param}.{field}: leave it out, the corpus {corpus} takes its place",
                f"{param}.{field}",
                "invalid_item",
            )


def corpus_of(task: Task[Any, Any], options: Mapping[str, Any]) -> str | None:
    """The corpus that checked options name, of a task that looks into one."""
    found: str | None = options.get("corpus") if isinstance(task, CorpusTask) else None
    return found
