"""The arithmetic of linear heads, and how thresholds are tuned."""

from __future__ import annotations

import numpy as np
import pytest

from workers.features.ngrams import NgramSpec
from workers.training.linear import View, fit, hashed, slope, tuned_threshold

SPEC = NgramSpec(1 << 8, (1, 3), (1, 1))
TEXTS = ["red tea", "red cup", "blue tea", "blue cup"] * 5
RED = np.array([text.startswith("red") for text in TEXTS])


def view() -> View:
    return View(hashed(TEXTS, SPEC), np.eye(4, dtype=np.float32)[np.arange(len(TEXTS)) % 4])


def test_scaling_and_adding_heads_is_exact() -> None:
    seen = view()
    head = fit(seen, RED, np.ones(len(TEXTS)), seed=1)
    logits = head.logits(seen)
    assert ((logits > 0) == RED).all()
    np.testing.assert_allclose(head.scaled(2.0, -1.0).logits(seen), 2 * logits - 1)
    other = fit(seen, ~RED, np.ones(len(TEXTS)), seed=1)
    np.testing.assert_allclose(
        head.plus(other, 0.25).logits(seen), logits + 0.25 * other.logits(seen)
    )


def test_both_views_are_averaged() -> None:
    seen = view()
    weights = np.ones(len(TEXTS))
    both = fit(seen, RED, weights, seed=1).logits(seen)
    ngrams = fit(View(seen.ngrams, None), RED, weights, seed=1).logits(seen)
    head = fit(seen, RED, weights, seed=1)
    assert head.dense is not None and seen.dense is not None
    dense_part = both - ngrams / 2
    np.testing.assert_allclose(
        dense_part - dense_part[0],
        seen.dense @ head.dense - (seen.dense @ head.dense)[0],
        atol=1e-9,
    )


def test_threshold_weighs_groups_alike() -> None:
    logits = np.concatenate([np.linspace(-1, 1, 100), np.array([0.5, 0.6, 0.7, 0.8])])
    truth = np.concatenate([np.linspace(-1, 1, 100) > 0, np.array([False, False, True, True])])
    large = np.arange(104) < 100
    assert tuned_threshold(logits, truth, [large]) == pytest.approx(0.0, abs=0.05)
    assert 0.6 < tuned_threshold(logits, truth, [~large]) <= 0.7


def test_slope_stretches_flat_logits() -> None:
    truth = np.array([False, True] * 50)
    flat = np.where(truth, 0.01, -0.01) + np.linspace(-0.02, 0.02, 100)
    assert slope(flat, truth, np.ones(100)) > 10 * slope(flat * 100, truth, np.ones(100))
