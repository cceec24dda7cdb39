"""First vectors of a vocabulary of two languages: what occurs in the same pairs begins alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch

_ROUNDS: Final = 3
"""Power iterations of the randomised decomposition (Halko et al. 2011)."""


def share_vectors(
    weight: torch.Tensor, pairs: Sequence[Sequence[int]], unlike: int, share: float
) -> int:
    """Replace rows of ``weight`` [vocabulary, width] by those of tokens that occur together.

    ``pairs`` are the tokens of a text and its translation. The positive pointwise mutual
    information of any two different tokens is decomposed into ``width`` dimensions, so a word
    and its translation come near each other. ``share`` of a new vector's square is from there,
    the rest is the old direction, which keeps tokens apart; its length stays. The first
    ``unlike`` tokens are left alone, and so are tokens that are seen with no other. Returns how
    many rows changed.
    """
    seen = torch.zeros(weight.shape[0], len(pairs))
    for place, tokens in enumerate(pairs):
        seen[list(tokens), place] = 1.0
    seen[:unlike] = 0.0
    often = seen.sum(dim=1).clamp(min=1.0)
    expected = often[:, None] * often[None, :] / len(pairs)
    information = (seen @ seen.T / expected).clamp(min=1.0).log()
    information.fill_diagonal_(0.0)
    left, strengths, _ = torch.svd_lowrank(information, q=min(weight.shape), niter=_ROUNDS)
    vectors = torch.zeros_like(weight)
    vectors[:, : len(strengths)] = left * strengths.sqrt()
    rows = vectors.norm(dim=1) > 1e-3
    with torch.no_grad():
        old = weight[rows].clone()
        mixed = math.sqrt(share) * _unit(vectors[rows]) + math.sqrt(1 - share) * _unit(old)
        weight[rows] = _unit(mixed) * old.norm(dim=1, keepdim=True)
    return int(rows.sum())


def _unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows, dim=1)
