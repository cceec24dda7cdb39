"""Training the sentiment model on a handful of made-up lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.sentiment import Sentiment, SentimentOptions
from tests.support.encoders import write_encoder
from tests.support.models import one_thread
from workers.catalogue.entries import CatalogueEntry
from workers.engines.encoder import SentenceEncoder
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.features.ngrams import NgramSpec
from workers.training import sentiment
from workers.training.classifier import save_classifier
from workers.training.upper_run import UpperRecipe

OPINIONS = {
    "positive": ("a good film", "good and warm", "很好吃", "太好了", "好用"),
    "negative": ("a bad film", "bad and cold", "很难吃", "太差了", "难用"),
    "neutral": ("a film on monday", "on monday at nine", "会议在周一", "周一开会", "周一的会"),
}


def write(data: Path, name: str, rows: Sequence[Mapping[str, str]]) -> None:
    (data / name).mkdir()
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (data / name / "train.jsonl").write_text(lines, encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [{"text": text, "label": label} for label, texts in OPINIONS.items() for text in texts]
    english = [row for row in rows if row["text"].isascii()] * 4
    chinese = [row for row in rows if not row["text"].isascii()] * 4
    write(folder, "sent_tweet", english)
    write(folder, "sent_sst2", [row for row in english if row["label"] != "neutral"])
    for name in ("sent_waimai_zh", "sent_hotel_zh", "sent_shopping_zh"):
        write(folder, name, [row for row in chinese if row["label"] != "neutral"])
    write(folder, "cls_thucnews_zh", [row for row in chinese if row["label"] == "neutral"])
    write(folder, "mt_tatoeba", [{"en": "good and warm", "zh": "又好又暖"}])
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> SentenceEncoder:
    folder = write_encoder(tmp_path / "encoder")
    return Trunks().encoder(folder, 64, torch.device("cpu"), torch.float32)


def test_what_is_trained_is_served(
    data: Path, encoder: SentenceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = NgramSpec(1 << 10, (1, 3), (0, 0))
    monkeypatch.setattr(sentiment, "SPECS", {"en": small, "zh": small})
    monkeypatch.setattr(sentiment, "RECIPE", UpperRecipe(first=1, rank=2, epochs=1))
    monkeypatch.setattr(sentiment, "NGRAM_SHARE", 0.9)  # the tiny encoder is random
    with one_thread():
        heads, adapters = sentiment.train(data, encoder, 7)
    save_classifier(tmp_path / "made", heads, sentiment.FACTS, adapters)
    entry = CatalogueEntry(
        name="made",
        task="sentiment",
        engine="text-classifier",
        folder=tmp_path / "made",
        encoder_folder=tmp_path / "encoder",
        max_tokens=64,
    )
    engine = load_engine("sentiment", {"made": entry}, "cpu", "made")
    task, options = Sentiment(), SentimentOptions()
    for label, texts in OPINIONS.items():
        inputs = [task.encode(text, options) for text in texts]
        raws = engine.forward(engine.tokenize(inputs))
        found = [task.decode(*one, options).label for one in zip(raws, inputs, strict=True)]
        assert found == [label] * len(texts)


def test_missing_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentiment.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "sent_sst2" in said and "mt_tatoeba" in said
    assert not (tmp_path / "out").exists()
