"""Fitting a linear model that chooses one of a list: softmax over the list, cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]

_ROUNDS = 500


def fit_listwise(lists: Sequence[Floats], targets: Sequence[Floats], strength: float) -> Floats:
    """Return the weights [features] under which ``softmax(rows @ weights)`` is near the targets.

    ``lists`` are [rows, features] each, with at least one row; ``targets`` say for each list
    which share each row should have, and sum to 1. Features are scaled to unit variance for
    the fit; ``strength`` is that of the L2 penalty, in lists.
    """
    table = np.concatenate(lists)
    wanted = np.concatenate(targets)
    sizes = np.array([len(one) for one in lists])
    starts = np.cumsum(sizes) - sizes
    owners = np.repeat(np.arange(len(lists)), sizes)
    spread = table.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (table - table.mean(axis=0)) / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = scaled @ weights
        logits -= np.maximum.reduceat(logits, starts)[owners]
        odds = np.exp(logits)
        totals = np.add.reduceat(odds, starts)
        value = float(wanted @ (np.log(totals)[owners] - logits))
        slope = scaled.T @ (odds / totals[owners] - wanted)
        return value + strength / 2 * float(weights @ weights), slope + strength * weights

    found = minimize(
        loss, np.zeros(table.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS}
    )
    result: Floats = found.x / spread
    return result


def softened(gains: Floats, temperature: float) -> Floats:
    """Shares that grow with ``gains``: the target of a list where several rows are good.

    >>> softened(np.array([0.0, 0.1, 0.1]), 0.05).round(2).tolist()
    [0.06, 0.47, 0.47]
    """
    odds = np.exp((gains - gains.max()) / temperature)
    shares: Floats = odds / odds.sum()
    return shares
