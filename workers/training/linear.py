"""Fitting one linear head: logistic regression on two views of a text, averaged and calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from workers.features.ngrams import NgramSpec, bags

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

_NGRAM_C = 10.0
_DENSE_C = 3.0
_THRESHOLDS_TRIED = 200
_HASHED_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class View:
    """The features of some texts: hashed n-grams, and an encoder's vectors where it has them."""

    ngrams: csr_matrix
    dense: Vectors | None

    def take(self, rows: npt.NDArray[np.int64]) -> View:
        """The same features for some rows only."""
        return View(self.ngrams[rows], None if self.dense is None else self.dense[rows])


@dataclass(frozen=True, slots=True)
class Linear:
    """Logit = ngrams · bag + dense · vector + bias."""

    bag: Floats
    dense: Floats | None
    bias: float

    def logits(self, view: View) -> Floats:
        """One logit a row of ``view``."""
        found: Floats = view.ngrams @ self.bag + self.bias
        if self.dense is not None and view.dense is not None:
            found = found + view.dense @ self.dense
        return found

    def scaled(self, factor: float, shift: float) -> Linear:
        """The head whose logit is ``factor * logit + shift``."""
        dense = None if self.dense is None else self.dense * factor
        return Linear(self.bag * factor, dense, self.bias * factor + shift)

    def plus(self, other: Linear, share: float) -> Linear:
        """The head whose logit is this one's plus ``share`` times the other's."""
        extra = other.scaled(share, 0.0)
        dense = self.dense
        if dense is not None and extra.dense is not None:
            dense = dense + extra.dense
        return Linear(self.bag + extra.bag, dense, self.bias + extra.bias)


def hashed(texts: Sequence[str], spec: NgramSpec) -> csr_matrix:
    """The n-gram bags of ``texts`` as a sparse matrix [texts, buckets]."""
    parts = [
        bags(texts[start : start + _HASHED_AT_ONCE], spec)
        for start in range(0, len(texts), _HASHED_AT_ONCE)
    ]
    counts = np.concatenate([np.diff(part.offsets) for part in parts])
    return csr_matrix(
        (
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.indices for part in parts]),
            np.concatenate([[0], np.cumsum(counts)]),
        ),
        shape=(len(texts), spec.buckets),
    )


def fit(view: View, truth: npt.NDArray[np.bool_], weights: Floats, seed: int) -> Linear:
    """Fit both views apart and average their logits (half of each)."""
    bag, bias = _regress(view.ngrams, truth, weights, _NGRAM_C, seed)
    head = Linear(bag, None, bias)
    if view.dense is None:
        return head
    dense, dense_bias = _regress(view.dense, truth, weights, _DENSE_C, seed)
    return Linear(bag, dense, bias + dense_bias).scaled(0.5, 0.0)


def _regress(
    features: csr_matrix | Vectors,
    truth: npt.NDArray[np.bool_],
    weights: Floats,
    strength: float,
    seed: int,
) -> tuple[Floats, float]:
    model = LogisticRegression(C=strength, solver="liblinear", random_state=seed)
    model.fit(features, truth, sample_weight=weights)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def folds(
    truth: npt.NDArray[np.bool_], count: int, seed: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """``count`` stratified (train, test) pairs of row numbers."""
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(truth.size), truth))


def tuned_threshold(
    logits: Floats, truth: npt.NDArray[np.bool_], groups: Sequence[npt.NDArray[np.bool_]]
) -> float:
    """The logit at which macro-F1, averaged over ``groups`` of rows, is highest.

    A group is the rows of one data set, so a large set does not drown a small one.
    Of equally good thresholds the middle one is taken.
    """
    tried = np.unique(np.quantile(logits, np.linspace(0.005, 0.995, _THRESHOLDS_TRIED)))
    scores = np.mean([_macro_f1(logits[group], truth[group], tried) for group in groups], axis=0)
    return float(np.median(tried[scores >= scores.max() - 1e-9]))


def _macro_f1(logits: Floats, truth: npt.NDArray[np.bool_], tried: Floats) -> Floats:
    """Macro-F1 at each threshold of ``tried``."""
    missed = np.searchsorted(np.sort(logits[truth]), tried)
    rejected = np.searchsorted(np.sort(logits[~truth]), tried)
    hits, false_alarms = truth.sum() - missed, (~truth).sum() - rejected
    wrong = np.maximum(missed + false_alarms, 1e-9)
    found: Floats = hits / (2 * hits + wrong) + rejected / (2 * rejected + wrong)
    return found


def slope(logits: Floats, truth: npt.NDArray[np.bool_], weights: Floats) -> float:
    """Platt's slope: how much a logit must be stretched for its sigmoid to be a probability."""
    model = LogisticRegression(C=1e6).fit(logits[:, None], truth, sample_weight=weights)
    return max(float(model.coef_[0, 0]), 0.1)
