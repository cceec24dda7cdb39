"""A model that leaves gives its device memory back."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import Settings
from tests.support.encoders import table, write_encoder, write_heads
from workers import resident as module
from workers.engines.base import Engine
from workers.loading import Loading
from workers.pool import ModelPool
from workers.refusal import Refused

pytestmark = pytest.mark.gpu

PATIENCE = 120.0
MEGABYTE = 1 << 20
LARGE = 32 * MEGABYTE // 128
"""Spare words that make an encoder 32 MB larger."""


def bring(pool: ModelPool, model: str) -> None:
    """Ask for a model and wait until it is there; it is not held."""
    found = pool.engine("moderation", model)
    assert isinstance(found, Loading)
    answers: queue.SimpleQueue[Engine | Refused] = queue.SimpleQueue()
    found.then(answers.put)
    assert not isinstance(answers.get(timeout=PATIENCE), Refused)


def test_memory_follows_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEADROOM_BYTES", 2 * MEGABYTE)
    heads = write_heads(tmp_path / "heads")
    names = ("plain", "first", "second")
    (tmp_path / "catalogue.toml").write_text(
        "".join(
            table(name, heads, write_encoder(tmp_path / name, seed, LARGE), default=not seed)
            for seed, name in enumerate(names)
        )
    )
    settings = Settings(
        home=tmp_path,
        catalogues=str(tmp_path / "catalogue.toml"),
        device="cuda",
        tune=False,
        model_memory_mb=80,
    )
    pool = ModelPool({"moderation": get_task("moderation")}, settings)
    pool.load_defaults()
    try:
        for name in (*names[1:], *names[1:]):
            bring(pool, name)
            assert set(pool.memory()["models"]) == {"plain", name}
            assert pool.memory()["used"] <= torch.cuda.memory_allocated() < 80 * MEGABYTE
    finally:
        pool.close()
