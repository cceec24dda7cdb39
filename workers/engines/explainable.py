"""What of a classifier an explanation needs: linear heads whose parts can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch

from workers.engines.base import Engine
from workers.engines.encoder import SentenceEncoder
from workers.engines.tuned import TunedTop
from workers.features.ngrams import NgramSpec


class LinearHeads(Protocol):
    """Heads of one language: logits are ``bias + bag + vectors @ dense``.

    ``bag`` [buckets, labels] and ``dense`` [width, labels] are weights of n-grams and of an
    encoder's vector; ``width`` is 0 without an encoder. ``activation`` is ``sigmoid``, or
    ``softmax`` where a text has exactly one label.
    """

    labels: tuple[str, ...]
    spec: NgramSpec
    width: int
    activation: str
    bag: torch.nn.EmbeddingBag
    bias: torch.nn.Parameter
    dense: torch.nn.Parameter


@runtime_checkable
class Explainable(Engine, Protocol):
    """An engine whose raw scores are LabelScores made by LinearHeads.

    The vectors of ``encoder`` come out of the layers of ``top``, its own where that is None.
    """

    top: TunedTop | None

    @property
    def encoder(self) -> SentenceEncoder | None:
        """What makes the vectors; None where no language needs any."""
        ...

    def heads_of(self, language: str) -> LinearHeads:
        """Heads that a text of ``language`` is judged by."""
        ...


def direction(labels: Sequence[str], label: str, exclusive: bool) -> torch.Tensor:
    """Weights [labels] of the logits whose sum is explained for ``label``.

    It is the label's own logit, or, where labels are ``exclusive``, its lead over the mean of
    the others: logits under a softmax mean nothing by themselves.

    >>> direction(["a", "b", "c"], "b", exclusive=False).tolist()
    [0.0, 1.0, 0.0]
    >>> direction(["a", "b", "c"], "b", exclusive=True).tolist()
    [-0.5, 1.0, -0.5]
    """
    place = list(labels).index(label)
    others = -1.0 / (len(labels) - 1) if exclusive and len(labels) > 1 else 0.0
    found = torch.full((len(labels),), others)
    found[place] = 1.0
    return found
