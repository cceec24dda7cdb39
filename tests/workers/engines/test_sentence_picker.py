"""The engine that scores sentences, over the shipped weights, and folders that do not fit it."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.summarisation import SentencesInput, Summarisation, SummarisationOptions
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.folder import read_folder
from workers.engines.loader import load_engine
from workers.engines.sentence_picker import build_sentence_picker
from workers.engines.warm import warm_up
from workers.errors import ModelRefused

TASK = Summarisation()
TEXTS = [
    "Networks are slow. We propose a network with fewer weights. It is twice as fast. Fine.",
    "随着网络的发展,流量越来越大。本文提出一种压缩方法。结果表明流量减少一半。图书馆很远。",
    "Один. Два.",
    "只有一句",
    "?",
    "一句話，𝐦𝐢𝐱𝐞𝐝 with English 😀。Second one! " * 40,
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("summarisation", read_catalogue(DEFAULT_CATALOGUE), "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model that a test may spoil."""
    shipped = read_catalogue(DEFAULT_CATALOGUE)["summarisation"].model_folder
    return Path(shutil.copytree(shipped, tmp_path / "model"))


def encode(texts: list[str]) -> list[SentencesInput]:
    made = [TASK.encode(text, SummarisationOptions()) for text in texts]
    return [one for one in made if isinstance(one, SentencesInput)]


def test_scores_are_shares_batched_as_alone(engine: Engine) -> None:
    inputs = encode(TEXTS)
    together = engine.forward(engine.tokenize(inputs))
    for one, raw in zip(inputs, together, strict=True):
        (alone,) = engine.forward(engine.tokenize([one]))
        assert len(raw["scores"]) == len(one.spans)
        assert math.isclose(sum(raw["scores"]), 1.0)
        for score, other in zip(raw["scores"], alone["scores"], strict=True):
            assert math.isclose(score, other, abs_tol=1e-9)


def test_what_the_writer_announces_is_picked_in_both_languages(engine: Engine) -> None:
    options = SummarisationOptions(sentences=1)
    inputs = encode(TEXTS[:2])
    summaries = [
        TASK.decode(raw, one, options).summary
        for raw, one in zip(engine.forward(engine.tokenize(inputs)), inputs, strict=True)
    ]
    assert summaries == ["We propose a network with fewer weights.", "本文提出一种压缩方法。"]


def test_its_speed_depends_on_no_budget_and_examples_run(engine: Engine) -> None:
    assert not engine.lane.tunable
    warm_up(TASK, engine)


def test_another_tasks_input_is_refused(engine: Engine) -> None:
    with pytest.raises(TypeError, match="summarisation takes SentencesInput"):
        engine.tokenize([ModelInput("text", "en")])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": ["first"]}, "train it again with .python -m workers.training.summ"),
        ({"fallback_language": "fr"}, "fallback_language 'fr' is not one of the languages"),
        ({"languages": ["en", "zh", "fr"]}, r"fr\.weights is missing"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    folder: Path, changes: dict[str, object], says: str
) -> None:
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    with pytest.raises(ModelRefused, match=says):
        build_sentence_picker("mine", read_folder(folder))


def test_weights_of_another_shape_are_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    save_file({**load_file(weights), "zh.weights": torch.zeros(3)}, weights)
    with pytest.raises(ModelRefused, match=r"zh\.weights is of shape \(3,\)"):
        build_sentence_picker("mine", read_folder(folder))
