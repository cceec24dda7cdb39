"""What engines over vectors share: texts in, a vector of each out, an answer made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lepton_tasks.nlp.base import ModelInput
from workers.engines.base import Encoded, Raw
from workers.engines.branches import Rows
from workers.engines.packed import TokenIds
from workers.engines.spaces import PlacedText, Spaces
from workers.engines.transfer import host_tensor, on_device
from workers.engines.trunk import States
from workers.engines.trunk_lane import TrunkLane
from workers.features.ngram_vectors import Vectors

_CHARACTERS_PER_TOKEN = 256
"""Characters whose n-grams are counted as one token of encoder work."""
_FEW_TEXTS = 2
"""Texts of an item up to which their own lengths are counted."""


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """The texts of an item, in order; ``note`` is what else the engine found out."""

    texts: tuple[PlacedText, ...]
    note: Any = None

    @property
    def ids(self) -> tuple[TokenIds, ...]:
        """What the encoder sees."""
        return tuple(text.ids for text in self.texts)


@dataclass(frozen=True, slots=True)
class _Collated:
    """``rows`` [texts that the encoder sees] are theirs among the trunk's states."""

    items: list[PlacedItem]
    rows: torch.Tensor


class VectorEngine(ABC):
    """An Engine of a TrunkLane whose answers are made of vectors."""

    def __init__(self, name: str, revision: str, spaces: Spaces, lane: TrunkLane) -> None:
        self.name = name
        self.revision = revision
        self.lane = lane
        self.spaces = spaces

    def tensors(self) -> Iterator[torch.Tensor]:
        """Yield all weights, those of the encoder included."""
        yield from self.spaces.tensors()

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Place all texts of all items at once.

        The length of an item is what it may take of the padded rectangle: each of its texts
        is a row of that, and a longer text in the micro-batch makes all rows longer.
        """
        texts = [list(self.texts(one)) for one in inputs]
        placed = iter(self.spaces.place([text for own in texts for text in own]))
        encoded = []
        for one, own in zip(inputs, texts, strict=True):
            item = PlacedItem(tuple(next(placed) for _ in own), self.note(one))
            length = 1 + sum(len(text.text) for text in own) // _CHARACTERS_PER_TOKEN
            length += self._padded([len(text.ids) for text in item.texts if len(text.ids)])
            encoded.append(Encoded(length, item))
        return encoded

    def forward(self, batch: Sequence[Encoded]) -> Sequence[Raw]:
        """Answer a micro-batch, which may mix languages."""
        return self.lane.forward([(self, one) for one in batch])

    def collate(self, batch: Sequence[Encoded], rows: Rows) -> _Collated:
        """Note which rows of the trunk's states are whose."""
        return _Collated(
            [one.tokens for one in batch], host_tensor(rows[rows >= 0], self.lane.device)
        )

    def score(self, collated: _Collated, states: States | None) -> torch.Tensor:
        """Vectors of the texts that the encoder saw, end to end."""
        if states is None:
            return torch.zeros(0, device=self.lane.device)
        rows = on_device(collated.rows, self.lane.device)
        return self.spaces.pooled(states).index_select(0, rows).flatten()

    def read(self, collated: _Collated, scores: torch.Tensor) -> list[Raw]:
        """Make each item's answer of its vectors."""
        encoded = iter(scores.view(len(collated.rows), -1).numpy() if len(collated.rows) else ())
        answers = []
        for item in collated.items:
            vectors = [next(encoded) if text.vector is None else text.vector for text in item.texts]
            answers.append(self.answer(item, vectors))
        return answers

    def texts(self, model_input: ModelInput) -> Sequence[ModelInput]:
        """The texts of an item whose vectors are wanted: by default its only one."""
        return [model_input]

    def note(self, model_input: ModelInput) -> Any:
        """Whatever :meth:`answer` needs beside vectors, found in the thread that tokenises."""
        return None

    def _padded(self, lengths: Sequence[int]) -> int:
        """Tokens of the rectangle of one item's texts, those that the encoder sees.

        With pairs a micro-batch takes at most twice what is counted, whatever shares it; of
        more texts each is counted as if it were as long as can be.
        """
        encoder = self.spaces.encoder
        if len(lengths) > _FEW_TEXTS and encoder is not None:
            return len(lengths) * encoder.max_tokens
        return len(lengths) * max(lengths, default=0)

    @abstractmethod
    def answer(self, item: PlacedItem, vectors: Sequence[Vectors]) -> Raw:
        """The raw result of an item; ``vectors`` are its texts', float32 of norm 1, in order."""


class Embedder(VectorEngine):
    """Gives the vector itself: ``vector``, ``space`` and ``truncated``."""

    def answer(self, item: PlacedItem, vectors: Sequence[Vectors]) -> Raw:
        """Round to seven digits, which is what float32 holds."""
        (text,), (vector,) = item.texts, vectors
        return {
            "vector": np.round(vector.astype(np.float64), 7).tolist(),
            "space": text.space,
            "truncated": text.truncated,
        }
