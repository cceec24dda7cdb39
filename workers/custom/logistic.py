"""Multinomial logistic regression over an offset, in rounds that can be gone on from.

Minimises, over weights W and bias b, the mean over rows of ``-log softmax(offset + x·W + b)[y]``
plus ``|W|² / (2 C rows)``, by L-BFGS (Liu and Nocedal 1989). It is written out here because
torch's own takes three seconds to import, in each training. The offset is what a model says
already: W and b are then what has to be added to it, and small where there is nothing to add.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

STEPS_PER_ROUND: Final = 10
_HISTORY: Final = 5
_FLAT: Final = 1e-4
"""Largest part of the gradient at which a solution counts as found."""
_DECREASE: Final = 1e-4
_CURVATURE: Final = 0.9
_TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be fitted, in float64.

    ``features`` [rows, features] dense or sparse CSR, ``truth`` [rows] places of labels,
    ``offset`` [rows, labels], ``strength`` C: the larger, the freer the weights.
    """

    features: torch.Tensor
    truth: torch.Tensor
    offset: torch.Tensor
    strength: float

    def start(self) -> torch.Tensor:
        """Weights that add nothing, [features + 1, labels]; the last row is the bias."""
        shape = (self.features.shape[1] + 1, self.offset.shape[1])
        return torch.zeros(shape, dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class Round:
    """Where a round ended. ``loss`` is the minimised sum; ``found`` says no step is left."""

    weights: torch.Tensor
    loss: float
    found: bool


@dataclass(frozen=True, slots=True)
class _Move:
    """A step, by how much the gradient grew along it, and 1 over the product of both."""

    moved: torch.Tensor
    grown: torch.Tensor
    share: float


@dataclass(frozen=True, slots=True)
class _Point:
    """Weights, and the minimised sum and its gradient there."""

    weights: torch.Tensor
    loss: torch.Tensor
    slope: torch.Tensor


class Solver:
    """Solves one problem round by round; a round depends on its first weights alone."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that CSR is in beta
            self._transposed = problem.features.t()
            if problem.features.layout == torch.sparse_csr:
                self._transposed = self._transposed.to_sparse_csr()
        rows = len(problem.truth)
        self._share = 1.0 / rows
        self._decay = 1.0 / (problem.strength * rows)
        self._all = torch.arange(rows)

    def round(self, weights: torch.Tensor) -> Round:
        """Take up to :data:`STEPS_PER_ROUND` steps from ``weights``."""
        loss, slope = self._at(weights)
        past: list[_Move] = []
        for _ in range(STEPS_PER_ROUND):
            if float(slope.abs().max()) <= _FLAT:
                return Round(weights, float(loss), found=True)
            step = _direction(slope, past)
            length = 1.0 if past else min(1.0, 1.0 / float(slope.abs().sum()))
            there = self._search(weights, loss, slope, step, length)
            if there is None:
                return Round(weights, float(loss), found=True)
            moved, grown = there.weights - weights, there.slope - slope
            weights, loss, slope = there.weights, there.loss, there.slope
            if (curve := _dot(moved, grown)) > 0:
                past = [*past[1 - _HISTORY :], _Move(moved, grown, 1.0 / curve)]
        return Round(weights, float(loss), float(slope.abs().max()) <= _FLAT)

    def _search(
        self,
        weights: torch.Tensor,
        loss: torch.Tensor,
        slope: torch.Tensor,
        step: torch.Tensor,
        length: float,
    ) -> _Point | None:
        """A point along ``step`` that meets Wolfe's weak conditions, by bisection.

        None where no length lowers the loss: the numbers have no finer steps.
        """
        falls = _dot(slope, step)
        shortest, longest = 0.0, math.inf
        for _ in range(_TRIES):
            tried = weights + length * step
            point = _Point(tried, *self._at(tried))
            if float(point.loss) > float(loss) + _DECREASE * length * falls:
                longest = length
            elif _dot(point.slope, step) < _CURVATURE * falls:
                shortest = length
            else:
                return point
            length = (shortest + longest) / 2 if math.isfinite(longest) else 2 * length
        return None

    def _at(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The minimised sum at ``weights``, and its gradient."""
        problem, own = self._problem, weights[:-1]
        logits = problem.features @ own + weights[-1] + problem.offset
        logs = torch.log_softmax(logits, 1)
        loss = -logs[self._all, problem.truth].mean() + 0.5 * self._decay * (own * own).sum()
        missed = logs.exp()
        missed[self._all, problem.truth] -= 1.0
        missed *= self._share
        slope = torch.empty_like(weights)
        slope[:-1] = self._transposed @ missed + self._decay * own
        slope[-1] = missed.sum(0)
        return loss, slope


def _dot(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one * other).sum())


def _direction(slope: torch.Tensor, past: Sequence[_Move]) -> torch.Tensor:
    """Where to go: the gradient, turned by what the last moves say of the curvature."""
    found = -slope
    shares = []
    for move in reversed(past):
        share = move.share * _dot(move.moved, found)
        shares.append(share)
        found = found - share * move.grown
    if past:
        found = found / (past[-1].share * _dot(past[-1].grown, past[-1].grown))
    for move, share in zip(past, reversed(shares), strict=True):
        found = found + (share - move.share * _dot(move.grown, found)) * move.moved
    return found
