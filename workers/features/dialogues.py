"""How well an answer fits a dialogue: two vectors of hashed character n-grams, and their cosine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import embedding_bag, normalize

from lepton_tasks.nlp.clean import clean_text
from workers.features.han import simplified_characters
from workers.features.ngrams import NgramSpec, bags

BEFORE: Final = 3
"""Messages before the last one that are read."""
TABLES: Final = ("last", "before", "answer")

Bag = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Buckets, starts of the texts, and weights: what an embedding bag takes."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a dialogue is read as: its last message, and those before it as one text."""

    last: str
    before: str

    @classmethod
    def of(cls, messages: Sequence[str]) -> Context:
        """Read the messages of user and assistant, at least one, in order.

        >>> Context.of(["有免费的景點嗎？", "有，故宫。", "门票？"])
        Context(last='门票?', before='有免费的景点吗? 有,故宫。')
        """
        return cls(folded(messages[-1]), folded(" ".join(messages[-1 - BEFORE : -1])))


def folded(text: str) -> str:
    """Cleaned text in simplified characters."""
    return clean_text(text).translate(simplified_characters())


def bag_of(texts: Sequence[str], spec: NgramSpec) -> Bag:
    """The n-grams of ``texts`` as tensors."""
    found = bags(texts, spec)
    return (
        torch.from_numpy(found.indices),
        torch.from_numpy(found.offsets[:-1].copy()),
        torch.from_numpy(found.weights),
    )


class AnswerScorer:
    """Cosine of ``last[q] + before[h]`` and ``answer[r]``, each a sum of n-grams' vectors."""

    def __init__(self, spec: NgramSpec, tables: Mapping[str, torch.Tensor]) -> None:
        """``tables`` [buckets, width] are those of :data:`TABLES`, float32."""
        self.spec = spec
        self._tables = tables

    def contexts(self, given: Sequence[Context]) -> torch.Tensor:
        """Vectors [contexts, width] of norm 1."""
        last = self._sum("last", [one.last for one in given])
        return normalize(last + self._sum("before", [one.before for one in given]), dim=-1)

    def answers(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors [texts, width] of norm 1; ``texts`` are :func:`folded`."""
        return normalize(self._sum("answer", texts), dim=-1)

    def _sum(self, table: str, texts: Sequence[str]) -> torch.Tensor:
        indices, starts, weights = self._bag(texts)
        return embedding_bag(
            indices, self._tables[table], starts, mode="sum", per_sample_weights=weights
        )

    def _bag(self, texts: Sequence[str]) -> Bag:
        return bag_of(texts, self.spec)
