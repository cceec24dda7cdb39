"""Which tasks an upstream can serve, and how each is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lepton_tasks.nlp.base import ModelInput
from workers.catalogue.entries import CatalogueEntry
from workers.errors import CatalogueError
from workers.upstream.found import ScoresAnswer, VectorAnswer, ask_scores, ask_vector
from workers.upstream.question import Answer, Question
from workers.upstream.wire import TextAnswer, ask


@dataclass(frozen=True, slots=True)
class Kind:
    """``ask`` makes a question of the upstream's model name and an input, ``answer`` takes ours."""

    ask: Callable[[str, ModelInput], Question]
    answer: Callable[[str], Answer]


TEXTS: Final = Kind(ask, TextAnswer)
KINDS: Final[Mapping[str, Kind]] = {
    "chat": TEXTS,
    "generation": TEXTS,
    "embedding": Kind(ask_vector, VectorAnswer),
    "moderation": Kind(ask_scores, ScoresAnswer),
}


def kind_of(entry: CatalogueEntry) -> Kind:
    """Return how the upstream of ``entry`` is asked.

    Raises:
        CatalogueError: no upstream can serve its task.
    """
    if entry.task not in KINDS:
        raise CatalogueError(
            f"[{entry.name}] an upstream serves {', '.join(KINDS)}, not {entry.task}"
        )
    return KINDS[entry.task]
