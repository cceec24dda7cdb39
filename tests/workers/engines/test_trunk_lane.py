"""Tasks over one encoder share its weights and its passes, and find what they would alone."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.moderation import Moderation, ModerationOptions
from workers.catalogue.entries import DEFAULT_CATALOGUE, CatalogueEntry, read_catalogue
from workers.engines.base import Encoded, Engine
from workers.engines.loader import load_engine
from workers.engines.packed import Packed
from workers.engines.trunk import States, Trunk
from workers.engines.trunks import Trunks

TEXTS = [
    "You are a stupid idiot, and so is everybody in your town. " * 9,
    "今天的天气真好，我们去公园吧。",
    "Thanks, that was quick.",
    "Где библиотека?",
    "这种人就是垃圾，别理他。",
    "The character 好 means good.",
]


class CountedTrunk(Trunk):
    """A trunk that tells how many texts went through each of its passes."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__(trunk.architecture, trunk.revision, trunk.device, trunk.dtype)
        self.passes: list[int] = []

    def __call__(self, batch: Packed) -> States:
        self.passes.append(len(batch.starts))
        return super().__call__(batch)


@dataclass
class Pair:
    """Two models over one encoder, one of them with heads of twice the strength."""

    plain: Engine
    strong: Engine
    heads_alone: Engine
    trunk: CountedTrunk

    def items(self, texts: Sequence[str] = TEXTS) -> list[tuple[Engine, Encoded]]:
        """Every text for every engine of the trunk, engines taking turns."""
        inputs = [Moderation().encode(text, ModerationOptions()) for text in texts]
        of = [(engine, engine.tokenize(inputs)) for engine in (self.plain, self.strong)]
        return [(engine, encoded[at]) for at in range(len(texts)) for engine, encoded in of]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    shipped = read_catalogue(DEFAULT_CATALOGUE)["moderation"]
    folder = tmp_path_factory.mktemp("models") / "strong"
    shutil.copytree(shipped.model_folder, folder)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: 2 * tensor for name, tensor in tensors.items()}, weights)
    catalogue = {
        "plain": shipped,
        "strong": changed(shipped, name="strong", folder=folder),
        "zh": changed(shipped, name="zh", folder=chinese_alone(folder), encoder_package=None),
    }
    trunks = Trunks()
    plain, strong, zh = (
        load_engine("moderation", {name: entry}, "cpu", entry.name, trunks)
        for name, entry in catalogue.items()
        for entry in [entry.model_copy(update={"name": name})]
    )
    lane = plain.lane
    trunk = CountedTrunk(lane._trunk)  # type: ignore[attr-defined]
    lane._trunk = trunk  # type: ignore[attr-defined]
    return Pair(plain, strong, zh, trunk)


def changed(entry: CatalogueEntry, **values: object) -> CatalogueEntry:
    return entry.model_copy(update=values)


def chinese_alone(folder: Path) -> Path:
    """Make a folder with the Chinese heads of ``folder``, which need no encoder."""
    copy = folder.with_name("zh")
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["languages"].pop("en")
    config["fallback_language"] = "zh"
    (copy / "config.json").write_text(json.dumps(config))
    return copy


@pytest.fixture(autouse=True)
def forget(pair: Pair) -> None:
    pair.trunk.passes.clear()


def test_one_copy_one_lane(pair: Pair) -> None:
    assert pair.plain.lane is pair.strong.lane
    plain, strong = (
        {one.data_ptr() for one in engine.tensors() if one.numel()}
        for engine in (pair.plain, pair.strong)
    )
    assert len(plain & strong) == 4 + 6 * 16  # the whole encoder, and no head


def test_a_mixed_micro_batch_equals_separate_ones(pair: Pair) -> None:
    items = pair.items()
    together = pair.plain.lane.forward(items)
    for (engine, encoded), scores in zip(items, together, strict=True):
        (alone,) = engine.forward([encoded])
        assert scores.keys() == alone.keys()
        for label, score in scores.items():
            assert math.isclose(score, alone[label], abs_tol=1e-5)
    assert together[0] != together[1]


def test_each_text_goes_through_the_trunk_once(pair: Pair) -> None:
    pair.plain.lane.forward(pair.items())
    assert pair.trunk.passes == [4]  # of six texts two are Chinese, whose heads need no encoder


def test_a_micro_batch_without_encoder_part_skips_the_trunk(pair: Pair) -> None:
    found = pair.plain.lane.forward(pair.items([TEXTS[1], TEXTS[4]]))
    assert pair.trunk.passes == []
    assert [set(one) for one in found] == [{"toxicity"}] * 4


def test_preparing_ahead_changes_nothing(pair: Pair) -> None:
    lane = pair.plain.lane
    first, second = pair.items(TEXTS[:3]), pair.items(TEXTS[3:])
    prepared = [lane.prepare(first), lane.prepare(second)]
    assert [lane.compute(one) for one in prepared] == [lane.forward(first), lane.forward(second)]


def test_engines_without_encoder_have_a_lane_without_trunk(pair: Pair) -> None:
    engine = pair.heads_alone
    assert engine.lane is not pair.plain.lane
    (encoded,) = engine.tokenize([ModelInput("这种人就是垃圾。", "zh")])
    (scores,) = engine.forward([encoded])
    assert set(scores) == {"toxicity"}
