"""Tuned upper layers: as a whole merged model, beside others, and only for those who ask."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton_tasks.nlp.base import ModelInput
from tests.support.encoders import LAYERS, WIDTH, write_encoder, write_heads
from workers.catalogue.entries import CatalogueEntry
from workers.engines.base import Engine
from workers.engines.bert import ADAPTABLE, Bert, Layer
from workers.engines.folder import ModelFolder, read_folder
from workers.engines.loader import load_engine
from workers.engines.packed import Packed
from workers.engines.trunks import Trunks
from workers.engines.tuned import read_top
from workers.errors import ModelRefused

RANK = 3
FIRST = 1
NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
}
TEXTS = [
    ModelInput("one fine day", "en"),
    ModelInput("今天天气很好", "zh"),
    ModelInput("a much longer text that says nothing at all " * 3, "en"),
    ModelInput("two", "en"),
    ModelInput("three more words", "en"),
]


def make_adapters(encoder: Path, seed: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = load_file(encoder / "model.safetensors")
    made = {}
    for name in ADAPTABLE:
        outputs, inputs = weights[f"encoder.layer.{FIRST}.{NAMES[name]}.weight"].shape
        prefix = f"adapter.{FIRST}.{name}"
        made[f"{prefix}.down"] = torch.randn(RANK, inputs, generator=generator) * 0.3
        made[f"{prefix}.up"] = torch.randn(outputs, RANK, generator=generator) * 0.3
    return made


def add_tensors(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    file = folder / "model.safetensors"
    save_file({**load_file(file), **tensors}, file)


def merged(encoder: Path, adapters: Mapping[str, torch.Tensor], into: Path) -> Path:
    """The encoder as it would be with the adapters' products added to its weights."""
    shutil.copytree(encoder, into)
    tensors = load_file(into / "model.safetensors")
    for name in ADAPTABLE:
        key = f"encoder.layer.{FIRST}.{NAMES[name]}.weight"
        prefix = f"adapter.{FIRST}.{name}"
        tensors[key] = tensors[key] + adapters[f"{prefix}.up"] @ adapters[f"{prefix}.down"]
    save_file(tensors, into / "model.safetensors")
    return into


@dataclass
class Bench:
    plain: Engine
    tuned: Engine
    other: Engine
    merged: Engine
    folder: Path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    root = tmp_path_factory.mktemp("tuned")
    encoder = write_encoder(root / "encoder")
    write_heads(root / "plain", seed=1)
    adapters = make_adapters(encoder)
    add_tensors(write_heads(root / "tuned", seed=2), adapters)
    add_tensors(write_heads(root / "other", seed=4), make_adapters(encoder, seed=5))
    write_heads(root / "merged", seed=2)
    whole = merged(encoder, adapters, root / "merged-encoder")
    trunks = Trunks()

    def load(name: str, encoder: Path) -> Engine:
        entry = CatalogueEntry(
            name=name,
            task="moderation",
            engine="text-classifier",
            folder=root / name,
            encoder_folder=encoder,
            max_tokens=64,
        )
        return load_engine("moderation", {name: entry}, "cpu", name, trunks)

    return Bench(
        load("plain", encoder),
        load("tuned", encoder),
        load("other", encoder),
        load("merged", whole),
        root / "tuned",
    )


def assert_equal(
    found: Sequence[Mapping[str, float]], wanted: Sequence[Mapping[str, float]]
) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        assert all(math.isclose(one[key], other[key], abs_tol=1e-5) for key in one)


def run(engine: Engine, inputs: Sequence[ModelInput]) -> Sequence[Mapping[str, float]]:
    return engine.forward(engine.tokenize(inputs))


def test_adapters_do_what_merged_weights_do(bench: Bench) -> None:
    assert_equal(run(bench.tuned, TEXTS), run(bench.merged, TEXTS))


def test_weights_of_its_own_take_the_place_of_the_encoders(bench: Bench, tmp_path: Path) -> None:
    encoder, folder = bench.folder.parent / "encoder", tmp_path / "whole"
    weights = load_file(bench.folder.parent / "merged-encoder" / "model.safetensors")
    own = {
        f"layer.{FIRST}.{name}.weight": weights[f"encoder.layer.{FIRST}.{NAMES[name]}.weight"]
        for name in ADAPTABLE
    }
    norm = f"encoder.layer.{FIRST}.output.LayerNorm"
    own |= {f"layer.{FIRST}.norm.{one}": weights[f"{norm}.{one}"] for one in ("weight", "bias")}
    add_tensors(write_heads(folder, seed=2), own)
    entry = CatalogueEntry(
        name="whole",
        task="moderation",
        engine="text-classifier",
        folder=folder,
        encoder_folder=encoder,
        max_tokens=64,
    )
    engine = load_engine("moderation", {"whole": entry}, "cpu", "whole")
    assert_equal(run(engine, TEXTS), run(bench.merged, TEXTS))
    plain = sum(one.numel() for one in bench.plain.tensors())
    assert sum(one.numel() for one in engine.tensors()) == plain + sum(
        one.numel() for one in own.values()
    )


def test_a_mixed_micro_batch_equals_each_alone(bench: Bench) -> None:
    items = [
        (engine, encoded)
        for place in range(len(TEXTS))
        for engine in (bench.tuned, bench.plain, bench.other)
        for encoded in engine.tokenize(TEXTS)[place : place + 1]
    ]
    together = bench.plain.lane.forward(items)
    assert_equal(together, [engine.forward([encoded])[0] for engine, encoded in items])
    assert together[0] != together[1] != together[2]


def test_batched_equals_single(bench: Bench) -> None:
    assert_equal(run(bench.tuned, TEXTS), [run(bench.tuned, [one])[0] for one in TEXTS])


def test_each_layer_sees_those_texts_alone_that_need_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[int, int]] = []
    through = Bert.through

    def counted(
        self: Bert, layers: Sequence[Layer], hidden: torch.Tensor, batch: Packed
    ) -> torch.Tensor:
        passes.append((len(layers), len(batch.starts)))
        return through(self, layers, hidden, batch)

    monkeypatch.setattr(Bert, "through", counted)
    plain, tuned = bench.plain.tokenize(TEXTS), bench.tuned.tokenize(TEXTS)
    lane = bench.plain.lane
    lane.forward([(bench.plain, one) for one in plain])
    assert passes == [(LAYERS, 4)]  # as if there were no tuned layers
    passes.clear()
    lane.forward([(bench.tuned, one) for one in tuned])
    assert passes == [(FIRST, 4), (LAYERS - FIRST, 4)]
    passes.clear()
    lane.forward([(bench.plain, plain[0]), (bench.tuned, tuned[0]), (bench.tuned, tuned[2])])
    assert passes == [(FIRST, 2), (LAYERS - FIRST, 1), (LAYERS - FIRST, 2)]
    passes.clear()
    lane.forward([(bench.plain, plain[1]), (bench.tuned, tuned[1])])
    assert passes == []  # Chinese heads look at n-grams alone


def test_one_copy_of_the_encoder(bench: Bench) -> None:
    plain, tuned = (
        {one.data_ptr(): one.numel() for one in engine.tensors() if one.numel()}
        for engine in (bench.plain, bench.tuned)
    )
    assert bench.plain.lane is bench.tuned.lane
    assert len(plain.keys() & tuned.keys()) == 4 + 16 * LAYERS
    adapters = RANK * (4 * 2 * WIDTH + 2 * (WIDTH + 48))
    assert sum(tuned.values()) == sum(plain.values()) + adapters


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda t: t.pop("adapter.1.wide.up"), r"adapter\.1\.wide\.up \(0,\) are no adapter"),
        (lambda t: t.update({"adapter.1.key.down": torch.zeros(3, 7)}), r"\(3, 7\)"),
        (
            lambda t: t.update({"adapter.1.norm.up": torch.zeros(3, 7)}),
            r"adapter\.1\.norm\.up names",
        ),
        (lambda t: t.update({"adapter.2.key.up": torch.zeros(3, 7)}), "encoder of 2 layers"),
        (lambda t: t.update({"layer.1.key.bias": torch.zeros(7)}), r"\(7,\) does not fit"),
        (lambda t: t.update({"layer.1.key.down": torch.zeros(7)}), "names no weight"),
        (lambda t: t.update({"layer.2.norm.weight": torch.zeros(7)}), "encoder of 2 layers"),
    ],
)
def test_adapters_that_do_not_fit_are_refused(
    bench: Bench, spoil: Callable[[dict[str, torch.Tensor]], object], says: str
) -> None:
    folder = read_folder(bench.folder)
    tensors = dict(folder.tensors)
    spoil(tensors)
    spoiled = ModelFolder(folder.path, folder.config, tensors, folder.revision)
    encoder = bench.plain.lane._trunk.architecture  # type: ignore[attr-defined]
    with pytest.raises(ModelRefused, match=says):
        read_top(spoiled, encoder)


def test_other_encoders_cannot_carry_adapters(bench: Bench) -> None:
    with pytest.raises(ModelRefused, match="has to be a BERT or RoBERTa"):
        read_top(read_folder(bench.folder), object())


def test_an_unknown_activation_is_refused(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "spoiled"
    shutil.copytree(bench.folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["languages"]["en"]["activation"] = "tanh"
    (folder / "config.json").write_text(json.dumps(config))
    entry = CatalogueEntry(
        name="spoiled",
        task="moderation",
        engine="text-classifier",
        folder=folder,
        encoder_folder=bench.folder.parent / "encoder",
        max_tokens=64,
    )
    with pytest.raises(ModelRefused, match="activation 'tanh' is none of sigmoid, softmax"):
        load_engine("moderation", {"spoiled": entry}, "cpu", "spoiled")
