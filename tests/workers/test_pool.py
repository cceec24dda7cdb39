"""Models by name: at once, on their way or refused; under a bound the oldest leave."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.registry import get_task
from lepton_tasks.settings import Settings
from tests.support.encoders import table, write_encoder, write_heads
from workers import loading, resident, warmer
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.errors import CatalogueError, ModelError
from workers.loading import Loading
from workers.pool import ModelPool
from workers.refusal import Refused
from workers.resident import footprint
from workers.tuning.cache import Tuning, TuningCache
from workers.tuning.choice import Point
from workers.tuning.tuner import Tuner
from workers.tunings import UNTUNED_BUDGET

PATIENCE = 60.0
TASKS = {"moderation": get_task("moderation")}
MEGABYTE = 1 << 20
LARGE = MEGABYTE // 128
"""Spare words that make an encoder a megabyte larger."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with encoders of about 1, 4 and 4 MB, heads, and a catalogue of all."""
    folder = tmp_path_factory.mktemp("some models")
    small = write_encoder(folder / "small", 1, LARGE)
    first = write_encoder(folder / "first", 2, 4 * LARGE)
    second = write_encoder(folder / "second", 3, 4 * LARGE)
    heads = [write_heads(folder / f"heads{number}", number) for number in range(2)]
    (folder / "catalogue.toml").write_text(
        table("plain", heads[0], small, default=True)
        + table("twin", heads[1], small)
        + table("first", heads[0], first)
        + table("second", heads[1], second)
        + table("broken", folder / "absent heads", small)
        + table("huge", heads[0], write_encoder(folder / "huge", 4, 20 * LARGE))
    )
    return folder


@pytest.fixture(autouse=True)
def small_headroom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "HEADROOM_BYTES", 2 * MEGABYTE)
    monkeypatch.setattr(resident, "LOOK_SECONDS", 0.05)


class Bench:
    """Makes pools over the models and closes them."""

    def __init__(self, models: Path, home: Path) -> None:
        self.settings = Settings(home=home, catalogues=str(models / "catalogue.toml"), tune=False)
        self.open: list[ModelPool] = []

    def pool(self, megabytes: int = 0, *, tune: bool = False) -> ModelPool:
        settings = self.settings.model_copy(update={"model_memory_mb": megabytes, "tune": tune})
        pool = ModelPool(TASKS, settings)
        self.open.append(pool)
        pool.load_defaults()
        return pool


@pytest.fixture
def bench(models: Path, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(models, tmp_path)
    yield bench
    for pool in bench.open:
        pool.close()


def bring(pool: ModelPool, model: str) -> Engine | Refused:
    """Ask for a model and wait for the answer."""
    found = pool.engine("moderation", model)
    if not isinstance(found, Loading):
        return found
    answers: queue.SimpleQueue[Engine | Refused] = queue.SimpleQueue()
    found.then(answers.put)
    return answers.get(timeout=PATIENCE)


def scores(engine: Engine | Refused) -> dict[str, float]:
    assert not isinstance(engine, Refused), engine
    return dict(engine.forward(engine.tokenize([ModelInput("what a day", "en")]))[0])


def models_of(pool: ModelPool) -> set[str]:
    return set(pool.memory()["models"])


def test_the_default_is_there_at_once(bench: Bench) -> None:
    pool = bench.pool()
    engine = pool.engine("moderation")
    assert engine is pool.engine("moderation", "plain") is pool.default("moderation")
    assert engine.name == "plain"


def test_another_model_comes_on_demand_and_stays(bench: Bench) -> None:
    pool = bench.pool()
    waiting = pool.engine("moderation", "first")
    assert isinstance(waiting, Loading)
    assert isinstance(pool.engine("moderation"), type(pool.default("moderation")))
    found = bring(pool, "first")
    assert found is pool.engine("moderation", "first") is not pool.default("moderation")
    assert scores(found) != scores(pool.default("moderation"))
    late: list[object] = []
    waiting.then(late.append)
    assert late == [found]
    assert pool.memory()["loading"] == []


def test_one_load_answers_all_who_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    released = threading.Event()

    def slow(task: str, catalogue: dict[str, object], *rest: object) -> Engine:
        loads.extend(catalogue)
        assert released.wait(PATIENCE)
        return load_engine(task, catalogue, *rest)  # type: ignore[arg-type]

    pool = bench.pool()
    monkeypatch.setattr(warmer, "load_engine", slow)
    answers: queue.SimpleQueue[Engine | Refused] = queue.SimpleQueue()
    for _ in range(5):
        found = pool.engine("moderation", "first")
        assert isinstance(found, Loading)
        found.then(answers.put)
    assert pool.engine("moderation") is pool.default("moderation")
    released.set()
    engines = {answers.get(timeout=PATIENCE) for _ in range(5)}
    assert len(engines) == 1
    assert loads == ["first"]


def test_models_over_one_encoder_share_it(bench: Bench) -> None:
    pool = bench.pool()
    twin = bring(pool, "twin")
    assert isinstance(twin, type(pool.default("moderation")))
    assert twin.lane is pool.default("moderation").lane
    memory = pool.memory()
    whole = sum(footprint(pool.default("moderation")).values())
    heads = memory["models"]["twin"]["own"]
    assert memory["models"]["twin"]["bytes"] == whole
    assert memory["used"] == whole + heads
    assert heads < 10_000 < MEGABYTE < whole


def test_an_unknown_model_is_refused_with_those_that_exist(bench: Bench) -> None:
    pool = bench.pool()
    found = pool.engine("moderation", "x" * 300)
    assert isinstance(found, Refused)
    assert found.code == "unknown_model"
    assert found.message == (
        f"there is no model {'x' * 80!r} for moderation; "
        "the models are: broken, first, huge, moderation, plain, second, twin"
    )


def test_a_broken_model_is_refused_without_its_path_and_tried_again_later(
    bench: Bench, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = bench.pool()
    found = bring(pool, "broken")
    assert found == Refused(
        "model_unavailable",
        "the model 'broken' is not available: absent heads has no config.json; "
        "it is not a model folder",
    )
    assert pool.engine("moderation", "broken") is found
    monkeypatch.setattr(loading, "REFUSAL_SECONDS", 0.0)
    shutil.copytree(models / "heads1", models / "absent heads")
    try:
        assert scores(bring(pool, "broken"))
    finally:
        shutil.rmtree(models / "absent heads")


def test_a_model_whose_examples_fail_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ValueError("a text of the user's")

    pool = bench.pool()
    monkeypatch.setattr(warmer, "warm_up", failing)
    found = bring(pool, "first")
    assert isinstance(found, Refused)
    assert "ValueError at test_pool.py" in found.message
    assert "a text" not in found.message
    assert models_of(pool) == {"plain"}


def test_the_model_used_longest_ago_makes_room(bench: Bench) -> None:
    pool = bench.pool(megabytes=8)
    before = scores(bring(pool, "first"))
    bring(pool, "twin")
    bring(pool, "second")
    assert models_of(pool) == {"plain", "twin", "second"}
    assert scores(bring(pool, "first")) == before
    assert models_of(pool) == {"plain", "twin", "first"}
    memory = pool.memory()
    assert memory["used"] + memory["headroom"] <= memory["bound"] == 8 * MEGABYTE


def test_a_model_in_use_leaves_when_its_last_job_ends(bench: Bench) -> None:
    pool = bench.pool(megabytes=8)
    in_use = bring(pool, "first")
    waiting = pool.engine("moderation", "second")
    assert isinstance(waiting, Loading)
    answers: queue.SimpleQueue[Engine | Refused] = queue.SimpleQueue()
    waiting.then(answers.put)
    with pytest.raises(queue.Empty):
        answers.get(timeout=0.5)
    assert scores(in_use)
    assert pool.memory()["models"]["first"]["leaving"]
    assert pool.engine("moderation") is pool.default("moderation")
    del in_use
    assert scores(answers.get(timeout=PATIENCE))
    assert models_of(pool) == {"plain", "second"}


def test_a_model_that_never_fits_is_refused_with_figures(bench: Bench) -> None:
    pool = bench.pool(megabytes=8)
    bring(pool, "first")
    assert bring(pool, "huge") == Refused(
        "model_unavailable",
        "the model 'huge' is not available: the model huge needs 21 MB beside 2 MB of models that "
        "stay and 2 MB of headroom, but LEPTON_MODEL_MEMORY_MB allows 8",
    )
    assert models_of(pool) == {"plain", "first"}


def test_defaults_that_do_not_fit_stop_the_start(bench: Bench) -> None:
    with pytest.raises(ModelError, match=r"plain needs 2 MB beside 0 MB .* allows 3"):
        bench.pool(megabytes=3)


def test_a_task_without_default_stops_the_start(bench: Bench) -> None:
    with pytest.raises(CatalogueError, match=r"0 models .* default of 'clairvoyance'"):
        ModelPool({"clairvoyance": TASKS["moderation"]}, bench.settings)


def test_closing_does_not_wait_for_a_model_in_use(bench: Bench) -> None:
    pool = bench.pool(megabytes=8)
    in_use = bring(pool, "first")
    assert isinstance(pool.engine("moderation", "second"), Loading)
    pool.close()
    assert scores(in_use)


def test_each_lane_has_the_budget_it_was_tuned_to(bench: Bench) -> None:
    plain = bench.pool()
    first = bring(plain, "first")
    assert not isinstance(first, Refused)
    tuner = Tuner(bench.settings)
    lane = plain.default("moderation").lane
    for tuned, budget in ((lane, 512), (first.lane, 256)):
        point = Point(1, budget, 3000.0, 60.0, 0.1)
        TuningCache(bench.settings.home).write(tuner.key(tuned), Tuning(point, [point]))
    assert plain.budget(lane) == plain.budget(first.lane) == UNTUNED_BUDGET
    pool = bench.pool(tune=True)
    first, second = bring(pool, "first"), bring(pool, "second")
    assert not isinstance(first, Refused) and not isinstance(second, Refused)
    assert pool.budget(pool.default("moderation").lane) == 512
    assert pool.budget(first.lane) == 256
    assert pool.budget(second.lane) == 512  # nothing is known of it
