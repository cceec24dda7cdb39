"""Softmax heads: fitted, written, and served as they were fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lepton_tasks.nlp.base import ModelInput
from workers.catalogue.entries import CatalogueEntry
from workers.engines.loader import load_engine
from workers.features.ngrams import NgramSpec
from workers.training.classifier import LanguageHeads, save_classifier
from workers.training.linear import hashed
from workers.training.softmax import fit_softmax

SPEC = NgramSpec(1 << 10, (1, 3), (0, 0))
TEXTS = ["good film", "great film", "bad film", "poor film", "long film", "a film"]
LABELS = ["negative", "neutral", "positive"]
TRUTH = np.array([2, 2, 0, 0, 1, 1])


def test_what_is_served_is_what_was_fitted(tmp_path: Path) -> None:
    features = hashed(TEXTS, SPEC)
    head = fit_softmax(features, TRUTH, np.ones(6), 10.0)
    logits = head.logits(features)
    assert logits.argmax(1).tolist() == TRUTH.tolist()
    heads = LanguageHeads(LABELS, SPEC, head, None)
    save_classifier(tmp_path / "made", {"en": heads}, {"fallback_language": "en"})
    entry = CatalogueEntry(
        name="made", task="sentiment", engine="text-classifier", folder=tmp_path / "made"
    )
    engine = load_engine("sentiment", {"made": entry}, "cpu", "made")
    found = engine.forward(engine.tokenize([ModelInput(text, "en") for text in TEXTS]))
    exact = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for scores, row in zip(found, exact, strict=True):
        assert [scores[label] for label in LABELS] == pytest.approx(row.tolist(), abs=2e-3)


def test_two_labels_have_two_logits() -> None:
    features = hashed(TEXTS[:4], SPEC)
    head = fit_softmax(features, np.array([1, 1, 0, 0]), np.ones(4), 10.0)
    logits = head.logits(features)
    assert logits.shape == (4, 2)
    assert np.all(logits[:, 0] == 0)
    assert (logits[:, 1] > 0).tolist() == [True, True, False, False]
    assert np.allclose(head.scaled(2.0).logits(features), 2 * logits)
