"""Which folders make spaces, which are refused, and how an encoder pools."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from lepton_tasks.nlp.base import ModelInput
from tests.support.encoders import WIDTH, write_encoder
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.errors import ModelRefused

NGRAMS = {"buckets": 256, "characters": [1, 2], "words": [0, 0], "width": 32}
CONFIG = {"encoder_languages": ["en"], "ngrams": NGRAMS}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def write(folder: Path, config: Mapping[str, Any], buckets: int = 256) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    weights = torch.full((buckets,), 255, dtype=torch.uint8)
    save_file({"ngrams.weights": weights}, folder / "model.safetensors")
    return folder


def load(folder: Path | None, encoder: Path | None, **options: Any) -> Engine:
    entry = CatalogueEntry(
        name="tiny",
        task="embedding",
        engine="embedder",
        default=True,
        folder=folder,
        encoder_folder=encoder,
        max_tokens=64,
        options=options,
    )
    return load_engine("embedding", {"tiny": entry}, "cpu")


def space_of(engine: Engine, text: str, language: str) -> tuple[str, int]:
    (found,) = engine.forward(engine.tokenize([ModelInput(text, language)]))
    return found["space"].split("@")[0], len(found["vector"])


def test_both_spaces(tmp_path: Path, encoder: Path) -> None:
    engine = load(write(tmp_path / "both", CONFIG), encoder)
    assert space_of(engine, "tea", "en") == ("encoder-mean", WIDTH)
    assert space_of(engine, "茶", "zh") == ("ngrams", 32)
    assert sum(one.numel() for one in engine.tensors()) > 256


def test_an_encoder_alone_takes_every_language(encoder: Path) -> None:
    engine = load(None, encoder, pooling="cls")
    assert space_of(engine, "tea", "en") == space_of(engine, "茶", "zh") == ("encoder-cls", WIDTH)
    assert engine.revision == engine.lane.key.revision


def test_pooling_by_the_first_token(encoder: Path) -> None:
    mean, first = load(None, encoder), load(None, encoder, pooling="cls")
    texts = [ModelInput(text, "en") for text in ("a cup of tea", "tea")]
    by_mean, by_first = (one.forward(one.tokenize(texts)) for one in (mean, first))
    assert by_mean[0]["vector"] != pytest.approx(by_first[0]["vector"], abs=1e-4)
    assert [math.hypot(*one["vector"]) for one in by_first] == pytest.approx([1.0, 1.0], abs=1e-5)
    (alone,) = first.forward(first.tokenize(texts[:1]))
    assert alone["vector"] == pytest.approx(by_first[0]["vector"], abs=1e-5)


def test_ngrams_alone_need_no_encoder(tmp_path: Path) -> None:
    engine = load(write(tmp_path / "n", {"ngrams": NGRAMS}), None)
    assert space_of(engine, "tea", "en") == ("ngrams", 32)


@pytest.mark.parametrize(
    ("config", "buckets", "says"),
    [
        ({"encoder_languages": ["en"]}, 256, "ngrams"),
        ({"ngrams": {**NGRAMS, "width": 33}}, 256, "power of two"),
        ({"ngrams": NGRAMS}, 128, "256 weights are needed"),
        ({"ngrams": {**NGRAMS, "buckets": 100}}, 256, "power of two"),
        ({"ngrams": {**NGRAMS, "characters": 3}}, 256, "do not fit"),
        ({"ngrams": NGRAMS, "encoder_languages": "en"}, 256, "must be a list"),
        ({**CONFIG}, 256, "needs an encoder, and the catalogue names none"),
        ({"ngrams": NGRAMS, "calibration": {"ngrams": {"slope": -1, "shift": 0}}}, 256, "above 0"),
        ({"ngrams": NGRAMS, "calibration": {"ngrams": 3}}, 256, "incomplete or wrong"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(
    tmp_path: Path, config: dict[str, Any], buckets: int, says: str
) -> None:
    with pytest.raises(ModelRefused, match=says):
        load(write(tmp_path / "bad", config, buckets), None)


def test_neither_folder_nor_encoder_and_an_unknown_pooling_are_refused(encoder: Path) -> None:
    with pytest.raises(ModelRefused, match="a folder with n-grams, an encoder, or both"):
        load(None, None)
    with pytest.raises(ModelRefused, match="'max'; use one of mean, cls"):
        load(None, encoder, pooling="max")
