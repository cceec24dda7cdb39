"""Fitting linear heads of which a text gets one label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from workers.training.classifier import SoftmaxHead
from workers.training.linear import Floats, Vectors

NGRAM_C = 10.0
DENSE_C = 30.0
_MOST_STEPS = 400


def fit_softmax(
    features: csr_matrix | Vectors,
    truth: npt.NDArray[np.int64],
    weights: Floats,
    strength: float,
) -> SoftmaxHead:
    """Multinomial logistic regression; ``truth`` [rows] holds every label 0, 1, … at least once.

    Of two labels the first has logits of 0 throughout.
    """
    model = LogisticRegression(C=strength, solver="lbfgs", max_iter=_MOST_STEPS)
    model.fit(features, truth, sample_weight=weights)
    coefficients, bias = model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64)
    if len(bias) == 1:
        coefficients = np.hstack([np.zeros_like(coefficients), coefficients])
        bias = np.concatenate([[0.0], bias])
    return SoftmaxHead(coefficients, bias)
