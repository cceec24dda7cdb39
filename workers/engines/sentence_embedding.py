"""Sentence encoders of the Hugging Face hub: any ``AutoModel`` folder, pooled to one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict
from torch.nn import functional
from transformers import AutoModel

from lepton_tasks.nlp.base import ModelInput
from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.options import read_options
from workers.engines.base import Encoded
from workers.engines.checkpoint import Checkpoint, Row

_DIGITS = 7
"""What float32 holds."""


class EmbeddingOptions(BaseModel):
    """The ``options`` of a catalogue entry.

    ``pooling`` is the mean of all tokens' states, or the first token's (``cls``), as the
    model was trained. ``prefix`` is put before every text, as some models want it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pooling: Literal["mean", "cls"] = "mean"
    prefix: str = ""


class SentenceEmbedder:
    """An engine whose raw result is ``vector`` of norm 1, its ``space`` and ``truncated``.

    Vectors of one space may be compared: those of one model at one revision.
    """

    def __init__(self, name: str, checkpoint: Checkpoint, options: EmbeddingOptions) -> None:
        self.name = name
        self.revision = checkpoint.revision
        self._network = checkpoint.network
        self._checkpoint = checkpoint
        self._options = options

    def tokenize(self, inputs: Sequence[ModelInput]) -> list[Encoded]:
        """Encode texts, in order, cut at the entry's ``max_tokens``."""
        rows = self._checkpoint.rows([self._options.prefix + one.text for one in inputs])
        return [Encoded(len(row.ids), row) for row in rows]

    def forward(self, batch: Sequence[Encoded]) -> list[dict[str, Any]]:
        """Embed ``batch``; one result an item, in order."""
        rows: list[Row] = [one.tokens for one in batch]
        vectors: list[list[float]] = []
        for output, mask in self._checkpoint.passes(rows):
            vectors += self._pooled(output.last_hidden_state.float(), mask).tolist()
        space = f"{self.name}@{self.revision}"
        return [
            {
                "vector": [round(one, _DIGITS) for one in vector],
                "space": space,
                "truncated": row.truncated,
            }
            for row, vector in zip(rows, vectors, strict=True)
        ]

    def _pooled(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Vectors [texts, width] of states [texts, longest, width]."""
        if self._options.pooling == "cls":
            return functional.normalize(states[:, 0], dim=1)
        # Of a mean's norm nothing is left, so the sum will do.
        return functional.normalize((states * mask.unsqueeze(2)).sum(1), dim=1)


def build_sentence_embedder(entry: CatalogueEntry, device: torch.device) -> SentenceEmbedder:
    """Make an engine of a catalogue entry: a local folder with a ``tokenizer.json``.

    Raises:
        CatalogueError: the entry's options are wrong; the field is named.
        ModelRefused: the folder is incomplete, inconsistent or unsafe.
    """
    options = read_options(entry, EmbeddingOptions)
    checkpoint = Checkpoint(AutoModel, entry, device, unread="pooler.")
    return SentenceEmbedder(entry.name, checkpoint, options)
