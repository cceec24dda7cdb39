"""Another version of a model in a running pool: beside the old one, warmed, then swapped in."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from weakref import ref

import pytest

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from lepton_tasks.nlp.registry import AnyTask, get_task
from lepton_tasks.settings import Settings
from lepton_tasks.versions import SERVED, Versions
from tests.support.encoders import table, write_encoder, write_heads
from tests.support.models import save_decoder
from tests.support.versions import publish
from workers import pool as module
from workers import resident, warmer
from workers.engines.base import Engine
from workers.engines.loader import load_engine
from workers.generation.engine import DecoderEngine
from workers.generation.requests import Generation
from workers.loading import Loading
from workers.pool import ModelPool
from workers.refusal import Refused

PATIENCE = 60.0
MEGABYTE = 1 << 20
LARGE = MEGABYTE // 128
"""Spare words that make an encoder a megabyte larger."""
EXPLAINER = """
[why]
task = "explanation"
default = true
engine = "explainer"
folder = "{heads}"
encoder_folder = "{encoder}"
max_tokens = 64
options = {{ task = "moderation", model = "plain", steps = 2 }}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of about 1 MB, heads over it, and a catalogue."""
    folder = tmp_path_factory.mktemp("models")
    encoder = write_encoder(folder / "encoder", 1, LARGE)
    heads = [write_heads(folder / f"heads{number}", number) for number in range(4)]
    (folder / "catalogue.toml").write_text(
        table("plain", heads[0], encoder, default=True)
        + table("twin", heads[1], encoder)
        + EXPLAINER.format(heads=heads[0], encoder=encoder)
    )
    return folder


class Bench:
    """A pool that follows what is served, looking without a rest."""

    def __init__(self, models: Path, home: Path) -> None:
        self.models = models
        self.settings = Settings(home=home, catalogues=str(models / "catalogue.toml"), tune=False)
        self.versions = Versions(self.settings.model_versions)
        self.open: list[ModelPool] = []

    def pool(self, *tasks: str, megabytes: int = 0) -> ModelPool:
        settings = self.settings.model_copy(update={"model_memory_mb": megabytes})
        pool = ModelPool({name: get_task(name) for name in tasks or ("moderation",)}, settings)
        self.open.append(pool)
        pool.load_defaults()
        pool.follow()
        return pool

    def publish(self, heads: int, model: str = "plain", **entry: Any) -> str:
        encoder = {"encoder_folder": str(self.models / "encoder")}
        return publish(self.versions, model, self.models / f"heads{heads}", {**encoder, **entry})

    def serve(self, heads: int, model: str = "plain", **entry: Any) -> str:
        """Publish and serve a version."""
        name = self.publish(heads, model, **entry)
        self.versions.serve(model, name)
        return name


@pytest.fixture
def bench(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.02)
    monkeypatch.setattr(resident, "HEADROOM_BYTES", MEGABYTE // 2)
    monkeypatch.setattr(resident, "LOOK_SECONDS", 0.05)
    bench = Bench(models, tmp_path)
    yield bench
    for pool in bench.open:
        pool.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def bring(pool: ModelPool, model: str, task: str = "moderation") -> Engine:
    """Ask for a model and wait for it."""
    found = pool.engine(task, model)
    if isinstance(found, Loading):
        answers: queue.SimpleQueue[Engine | Refused] = queue.SimpleQueue()
        found.then(answers.put)
        found = answers.get(timeout=PATIENCE)
    assert not isinstance(found, Refused), found
    return found


def serving(pool: ModelPool, task: str = "moderation") -> str:
    return pool.default(task).revision


def scores(engine: Engine) -> dict[str, float]:
    return dict(engine.forward(engine.tokenize([ModelInput("what a day", "en")]))[0])


def refused(pool: ModelPool, model: str = "plain") -> Any:
    return pool.versions().get(model, {}).get("refused")


def in_memory(pool: ModelPool) -> dict[str, str]:
    """Revisions of the models in memory by their keys."""
    return {name: one["revision"] for name, one in pool.memory()["models"].items()}


def test_a_default_is_swapped_and_the_old_one_leaves_when_its_last_job_ends(bench: Bench) -> None:
    pool = bench.pool()
    held: Any = pool.engine("moderation")
    own, before = held.revision, scores(held)
    version = bench.serve(2)
    until(lambda: serving(pool) == version)
    new = pool.engine("moderation", "plain")
    assert new is pool.engine("moderation") is pool.default("moderation")
    assert scores(pool.default("moderation")) != before == scores(held)
    assert pool.versions()["plain"]["version"] == version and refused(pool) is None
    memory = pool.memory()["models"]
    (old,) = set(memory) - {"plain"}
    assert memory[old]["leaving"] and memory[old]["revision"] == own
    assert memory["plain"]["default"] and not memory["plain"]["leaving"]
    del held
    until(lambda: in_memory(pool) == {"plain": version})


def test_a_shared_encoder_is_not_loaded_twice(bench: Bench) -> None:
    pool = bench.pool()
    held = pool.default("moderation")
    version = bench.serve(2)
    until(lambda: serving(pool) == version)
    assert pool.default("moderation").lane is held.lane
    assert pool.memory()["used"] < 2 * MEGABYTE


def test_rollback_goes_back_to_the_catalogues_own(bench: Bench) -> None:
    pool = bench.pool()
    own, before = serving(pool), scores(pool.default("moderation"))
    first, second = bench.serve(1), bench.publish(2)
    until(lambda: serving(pool) == first)
    bench.versions.serve("plain", second)
    until(lambda: serving(pool) == second)
    bench.versions.rollback("plain")
    until(lambda: serving(pool) == first)
    bench.versions.rollback("plain")
    until(lambda: serving(pool) == own)
    assert scores(pool.default("moderation")) == before
    assert pool.versions()["plain"]["version"] is None


def test_what_cannot_be_loaded_leaves_the_old_one_and_is_tried_when_it_is_served_anew(
    bench: Bench,
) -> None:
    pool = bench.pool()
    own = serving(pool)
    version = bench.publish(2)
    weights = bench.versions.folder / "plain" / version / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(b"no weights")
    bench.versions.serve("plain", version)
    until(lambda: refused(pool))
    assert refused(pool)["version"] == version
    assert "cannot be read as safetensors" in refused(pool)["reason"]
    assert pool.versions()["plain"]["version"] is None
    assert serving(pool) == own and scores(pool.default("moderation"))
    weights.write_bytes(good)
    other = bench.serve(3, "twin")  # another model's news are none of this one's
    until(lambda: "twin" in pool.versions())
    assert bring(pool, "twin").revision == other
    assert serving(pool) == own
    bench.versions.serve("plain", version)
    until(lambda: serving(pool) == version)
    assert refused(pool) is None


@pytest.mark.parametrize("spoil", ["gone", "entry", "served"])
def test_what_is_no_version_leaves_the_old_one(bench: Bench, spoil: str) -> None:
    pool = bench.pool()
    own = serving(pool)
    version = bench.publish(2, **({"task": "sentiment"} if spoil == "entry" else {}))
    folder = bench.versions.folder / "plain"
    if spoil == "served":
        (folder / SERVED).write_text("{")
    else:
        bench.versions.serve("plain", version)
    if spoil == "gone":
        (folder / version).rename(bench.settings.home / "gone")
    until(lambda: refused(pool))
    assert serving(pool) == own


def test_what_fails_on_its_examples_leaves_the_old_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ValueError("a text of the user's")

    pool = bench.pool()
    own = serving(pool)
    monkeypatch.setattr(warmer, "warm_up", failing)
    bench.serve(2)
    until(lambda: refused(pool))
    assert "ValueError at test_swap.py" in refused(pool)["reason"]
    assert "a text" not in refused(pool)["reason"]
    assert in_memory(pool) == {"plain": own}


def test_without_room_for_both_the_old_one_stays(bench: Bench) -> None:
    encoder = write_encoder(bench.settings.home / "larger", 2, 3 * LARGE)
    pool = bench.pool(megabytes=4)
    own = serving(pool)
    bench.serve(2, encoder_folder=str(encoder))
    until(lambda: refused(pool))
    assert refused(pool)["reason"] == (
        "the model plain needs 4 MB beside 2 MB of models that stay and 1 MB of headroom, but "
        "LEPTON_MODEL_MEMORY_MB allows 4"
    )
    assert in_memory(pool) == {"plain": own}
    other = write_encoder(bench.settings.home / "as large", 3, LARGE)
    version = bench.serve(2, encoder_folder=str(other))
    until(lambda: serving(pool) == version)


def test_a_model_in_memory_does_not_make_room_for_its_own_successor(bench: Bench) -> None:
    pool = bench.pool(megabytes=4)
    encoder = write_encoder(bench.settings.home / "larger", 2, LARGE)
    first = bench.serve(2, "twin", encoder_folder=str(encoder))
    until(lambda: "twin" in pool.versions())
    assert bring(pool, "twin").revision == first
    huge = write_encoder(bench.settings.home / "huge", 3, 2 * LARGE)
    bench.serve(3, "twin", encoder_folder=str(huge))
    until(lambda: refused(pool, "twin"))
    assert "needs 3 MB beside 3 MB" in refused(pool, "twin")["reason"]
    assert bring(pool, "twin").revision == first


def test_a_model_on_demand_comes_as_it_is_served(bench: Bench) -> None:
    pool = bench.pool()
    first = bench.serve(2, "twin")
    until(lambda: "twin" in pool.versions())
    assert "twin" not in in_memory(pool)
    assert bring(pool, "twin").revision == first
    second = bench.serve(3, "twin")
    until(lambda: bring(pool, "twin").revision == second)
    assert "twin" in in_memory(pool)


def test_a_model_on_demand_goes_back_to_the_last_version_that_works(bench: Bench) -> None:
    pool = bench.pool()
    good, broken = bench.publish(2, "twin"), bench.publish(3, "twin")
    (bench.versions.folder / "twin" / broken / "model.safetensors").write_bytes(b"no weights")
    bench.versions.serve("twin", good)
    bench.versions.serve("twin", broken)
    until(lambda: pool.versions().get("twin", {}).get("version") == broken)
    assert bring(pool, "twin").revision == good
    assert refused(pool, "twin")["version"] == broken


def test_a_model_of_versions_alone_comes_and_goes(bench: Bench) -> None:
    pool = bench.pool()
    found = pool.engine("moderation", "trained")
    assert isinstance(found, Refused) and found.code == "unknown_model"
    version = bench.serve(2, "trained", demo=True)
    until(lambda: "trained" in pool.versions())
    assert bring(pool, "trained").revision == version
    assert pool.is_demo("trained")
    bench.versions.rollback("trained")
    until(lambda: isinstance(pool.engine("moderation", "trained"), Refused))
    until(lambda: set(in_memory(pool)) == {"plain"})


def test_an_explainer_changes_with_what_it_explains(bench: Bench) -> None:
    pool = bench.pool("moderation", "explanation")
    version = bench.serve(2)
    until(lambda: serving(pool) == version)
    explainer: Any = pool.default("explanation")
    assert explainer.revision == version
    asked = [ModelInput("what a day", "en")]
    classifier = explainer._classifier
    found = dict(classifier.forward(classifier.tokenize(asked))[0])
    assert found == scores(pool.default("moderation"))


def test_what_cannot_be_explained_is_not_served_where_it_is_explained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loading(task: str, *rest: Any) -> Engine:
        if task == "explanation":
            raise MemoryError
        return load_engine(task, *rest)

    pool = bench.pool("moderation", "explanation")
    own = in_memory(pool)
    monkeypatch.setattr(warmer, "load_engine", loading)
    bench.serve(2)
    until(lambda: refused(pool))
    assert refused(pool)["reason"] == "the device has no memory left for it"
    assert in_memory(pool) == own and set(own) == {"plain", "why"}


def test_a_start_takes_the_last_version_that_works(bench: Bench) -> None:
    good = bench.serve(1)
    broken = bench.serve(2)
    weights = bench.versions.folder / "plain" / broken / "model.safetensors"
    weights.write_bytes(b"no weights")
    pool = bench.pool("moderation", "explanation")
    assert serving(pool) == serving(pool, "explanation") == good
    assert refused(pool)["version"] == broken
    weights.unlink()
    (weights.parent / "entry.json").write_text("[]")
    assert serving(bench.pool()) == good


def test_a_folder_that_cannot_be_seen_is_told_once_and_looked_at_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    pool = bench.pool()
    bench.versions.folder.write_text("not a folder")
    until(lambda: "which versions are served cannot be seen" in caplog.text)
    bench.versions.folder.unlink()
    version = bench.serve(2)
    until(lambda: serving(pool) == version)
    assert caplog.text.count("which versions are served cannot be seen") == 1


def test_a_start_without_anything_that_works_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ValueError("no")

    bench.serve(2)
    monkeypatch.setattr(warmer, "warm_up", failing)
    with pytest.raises(ValueError, match="no"):
        bench.pool()


def test_texts_that_are_being_written_end_on_the_old_decoder(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each version has a generator of its own; the old one's memory is free when it stops."""
    folders = [save_decoder(bench.settings.home / name, name) for name in ("llama", "qwen2")]
    limits = {"most_running": 2, "cache_tokens": 512}
    entry = {"task": "writing", "engine": "decoder", "encoder_folder": None, "options": limits}
    names = [publish(bench.versions, "writer", folder, entry) for folder in folders]
    bench.versions.serve("writer", names[0])
    task = cast("AnyTask", SimpleNamespace(name="writing"))
    monkeypatch.setattr(warmer, "warm_up", lambda *_: None)
    monkeypatch.setattr(module, "choose", lambda entries, *_: entries["writer"])
    pool = ModelPool({"writing": task}, bench.settings)
    bench.open.append(pool)
    pool.load_defaults()
    pool.follow()
    done: queue.SimpleQueue[Generation | Exception] = queue.SimpleQueue()
    old = pool.default("writing")
    assert isinstance(old, DecoderEngine)
    weights = [ref(tensor) for tensor in old.tensors()]
    (asked,) = old.tokenize([GenerationInput("今天天气", "zh", GenerationSpec(max_new_tokens=40))])
    generator = old.generator()
    generator.submit(asked.tokens.request("a", 1, "t"), done.put)
    bench.versions.serve("writer", names[1])
    until(lambda: serving(pool, "writing") == names[1])
    new = pool.default("writing")
    assert isinstance(new, DecoderEngine) and new is not old
    other = new.generator()
    other.submit(asked.tokens.request("b", 1, "t"), done.put)
    for one in (generator, other):
        one.start()
    ends = [done.get(timeout=PATIENCE) for _ in range(2)]
    assert all(isinstance(end, Generation) for end in ends)
    for one in (generator, other):
        one.stop()
    assert len(pool.memory()["models"]) == 2
    del old, generator, one
    until(lambda: in_memory(pool) == {"writer": names[1]})
    assert all(tensor() is None for tensor in weights)
