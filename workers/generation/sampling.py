"""From logits to the next tokens: the likeliest, or one drawn, each request by its own rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from lepton_tasks.nlp.generating import GenerationSpec

_HEAD: Final = 1024
"""Likeliest tokens looked at first for top-p: sorting a whole vocabulary takes far longer."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How one token is drawn. ``chance`` in [0, 1) decides which; ``top_k`` 0 is all."""

    temperature: float
    top_k: int
    top_p: float
    chance: float


class Dice:
    """The random numbers of one request: its seed decides them, and nothing else does.

    >>> spec = GenerationSpec(temperature=0.7, seed=5)
    >>> Dice(spec).draw() == Dice(spec).draw(), Dice(GenerationSpec()).draw()
    (True, None)
    """

    def __init__(self, spec: GenerationSpec) -> None:
        self._spec = spec
        self._random = random.Random(spec.seed)  # noqa: S311 - reproducible, not secret

    def draw(self) -> Draw | None:
        """Return how the next token is drawn; None where the likeliest is taken."""
        spec = self._spec
        if spec.temperature <= 0.0:
            return None
        return Draw(spec.temperature, spec.top_k, spec.top_p, self._random.random())


def choose(logits: torch.Tensor, draws: Sequence[Draw | None]) -> list[int | None]:
    """Return a token for each row of ``logits`` [rows, vocabulary].

    None stands where a row is no distribution (nan or infinity): that request is broken,
    and no other. Temperature, top-k and top-p apply in this order, as in
    transformers. A draw takes one number and inverts the cumulated probabilities, so
    what else is in the batch cannot change it but by rounding.
    """
    logits = logits.float()
    sound = torch.isfinite(logits.amax(dim=-1)).tolist()
    likeliest = logits.argmax(dim=-1).tolist()
    chosen: list[int | None] = [
        token if fine else None for token, fine in zip(likeliest, sound, strict=True)
    ]
    for row, draw in enumerate(draws):
        if draw is not None and sound[row]:
            chosen[row] = _drawn(logits[row], draw)
    return chosen


def _drawn(logits: torch.Tensor, draw: Draw) -> int:
    """Draw one token from ``logits`` [vocabulary]."""
    shares = torch.softmax(logits / draw.temperature, dim=-1)
    tokens = None  # those of the shares; where it stays None, all in the vocabulary's order
    if draw.top_k:
        shares, tokens = shares.topk(min(draw.top_k, len(shares)))
        shares = shares / shares.sum()
    elif draw.top_p < 1.0:
        everything = shares
        shares, tokens = everything.topk(min(_HEAD, len(everything)))
        if shares.sum() < draw.top_p:
            shares, tokens = everything.sort(descending=True)
    cumulated = shares.cumsum(dim=-1, dtype=torch.float64)
    if draw.top_p < 1.0:
        # The first token is always kept; a later one while those before hold less than top_p.
        kept = int(((cumulated - shares) < draw.top_p).sum().clamp(min=1))
        cumulated = cumulated[:kept]
    place = int(torch.searchsorted(cumulated, cumulated[-1] * draw.chance, right=True))
    if place == len(cumulated):  # rounding: the last one that has a share at all
        place = int(torch.searchsorted(cumulated, cumulated[-1]))
    return place if tokens is None else int(tokens[place])
