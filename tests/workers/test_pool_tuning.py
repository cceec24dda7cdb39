"""What a worker starts with: settings win, then what was kept, then plain defaults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import Settings
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.pool import ModelPool
from workers.tuning.cache import Tuning, TuningCache
from workers.tuning.choice import Point
from workers.tuning.tuner import Tuner
from workers.tunings import UNTUNED_BUDGET

TASKS = {"moderation": get_task("moderation")}


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """Torch threads before the test, and again after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def keep(settings: Settings, point: Point) -> None:
    engine = load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), settings.device)
    key = Tuner(settings).key(engine.lane)
    TuningCache(settings.home).write(key, Tuning(point, [point]))


def budget(settings: Settings) -> int:
    pool = ModelPool(TASKS, settings)
    pool.load_defaults()
    return pool.budget(pool.default("moderation").lane)


def test_a_kept_tuning_is_used(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tune=True)
    keep(settings, Point(1, 768, 3000.0, 60.0, 0.1))
    assert budget(settings) == 768
    assert torch.get_num_threads() == 1


def test_what_is_set_wins_over_a_kept_tuning(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tune=True, token_budget=333)
    keep(settings, Point(1, 768, 3000.0, 60.0, 0.1))
    assert budget(settings) == 333
    assert torch.get_num_threads() == 1
    both = settings.model_copy(update={"threads": 3})
    assert budget(both) == 333
    assert torch.get_num_threads() == 3


def test_without_tuning_nothing_is_measured(tmp_path: Path, threads: int) -> None:
    settings = Settings(home=tmp_path / "home", tune=False)
    assert budget(settings) == UNTUNED_BUDGET
    assert torch.get_num_threads() == threads
    assert not settings.home.exists()
