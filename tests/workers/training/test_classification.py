"""Training label sets on a handful of made-up lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.base import ModelInput
from tests.support.encoders import write_encoder
from workers.catalogue.entries import CatalogueEntry
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.features.ngrams import NgramSpec
from workers.training import classification
from workers.training.classification import train_heads
from workers.training.classifier import NO_NGRAMS, save_classifier
from workers.training.linear import hashed

TEXTS = ["my card", "card lost", "new pin", "pin please", "top up", "up to ten"]
LABELS = ["card", "card", "pin", "pin", "limit", "limit"]


@pytest.mark.parametrize(
    ("spec", "ngram_share"), [(NgramSpec(1 << 10, (1, 3), (1, 1)), 0.5), (NO_NGRAMS, 0.0)]
)
def test_what_is_trained_is_served(tmp_path: Path, spec: NgramSpec, ngram_share: float) -> None:
    folder = write_encoder(tmp_path / "encoder")
    encoder = Trunks().encoder(folder, 64, torch.device("cpu"), torch.float32)
    heads = train_heads(TEXTS, LABELS, spec, encoder, ngram_share)
    assert list(heads.labels) == ["card", "limit", "pin"]
    save_classifier(tmp_path / "made", {"en": heads}, {"fallback_language": "en"})
    entry = CatalogueEntry(
        name="made",
        task="classification",
        engine="text-classifier",
        folder=tmp_path / "made",
        encoder_folder=folder,
        max_tokens=64,
    )
    engine = load_engine("classification", {"made": entry}, "cpu", "made")
    raws = engine.forward(engine.tokenize([ModelInput(text, "en") for text in TEXTS]))
    found = [max(raw, key=lambda label: raw[label]) for raw in raws]
    assert heads.dense is not None
    logits = heads.dense.logits(encoder.forward(encoder.tokenize(TEXTS)).numpy())
    if heads.ngrams is not None:
        logits = logits + heads.ngrams.logits(hashed(TEXTS, spec))
        assert found == LABELS
    assert found == [heads.labels[place] for place in logits.argmax(1)]


def test_missing_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classification.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "cls_agnews" in said and "cls_banking77" in said
