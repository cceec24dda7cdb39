"""A decoder whose process dies of one prompt, as of a fault in a kernel."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import torch

from workers.catalogue.entries import CatalogueEntry
from workers.generation.engine import DecoderEngine, build_decoder
from workers.generation.paged_cache import Span
from workers.generation.paged_model import PagedModel

POISON = "☠☠"
"""A prompt with it kills the process when the model reads it."""


class DeadlyModel(PagedModel):
    """Dies when it reads the poison's tokens."""

    poison: Sequence[int]

    def logits(self, spans: Sequence[Span]) -> torch.Tensor:
        """Run ``spans`` if they are harmless."""
        for span in spans:
            tokens = list(span.tokens)
            starts = range(len(tokens) - len(self.poison) + 1)
            if any(tokens[at : at + len(self.poison)] == self.poison for at in starts):
                os.kill(os.getpid(), signal.SIGKILL)
        return super().logits(spans)


def build(entry: CatalogueEntry, device: torch.device) -> DecoderEngine:
    """Load the decoder of ``entry``, and make it deadly."""
    engine = build_decoder(entry, device)
    paged = engine._model.paged
    paged.__class__ = DeadlyModel
    assert isinstance(paged, DeadlyModel)
    paged.poison = engine._model.tokenizer.encode(POISON).ids
    return engine
