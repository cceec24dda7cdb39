"""What a worker is started with, and what its supervisor makes of its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_tasks.embedded.commands import WORKER_ENVIRONMENT, worker_command
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.settings import Settings, load_settings
from lepton_tasks.states import JobState
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.supervisor.leases import NodeLeases
from lepton_tasks.supervisor.progress import DEVICE_FAULT_EXIT, PROGRESS_VARIABLE
from lepton_tasks.supervisor.spec import worker_spec
from tests.support.lives import NODE, TASKS, a_job, queued, state, worker
from workers.progress import Progress, open_progress


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A store on SQLite: no statement is this module's own."""
    settings.home.mkdir()
    store = open_store(settings)
    yield store
    store.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "进度"


def spec_of(
    store: Store, settings: Settings, file: Path, tasks: list[str] = TASKS, **more: object
) -> ChildSpec:
    leases = NodeLeases(store)
    return worker_spec("worker", settings, tasks, NODE, file, leases, **more)  # type: ignore[arg-type]


def worker_side(spec: ChildSpec) -> Progress:
    """The progress file as the worker opens it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PROGRESS_VARIABLE, spec.env[PROGRESS_VARIABLE])
        return open_progress()


def test_the_worker_reads_the_settings_of_its_supervisor(
    store: Store, settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = settings.model_copy(update={"catalogues": "/etc/模型.toml", "hung_seconds": 7.5})
    for name, value in spec_of(store, ours, file).env.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == ours.model_copy(update={"supervised": True})


def test_a_slot_overrides_settings_and_nothing_overrides_the_progress_file(
    store: Store, settings: Settings, file: Path
) -> None:
    slot = {
        "LEPTON_DEVICE": "cuda:0",
        "CUDA_VISIBLE_DEVICES": "3",
        "MALLOC_ARENA_MAX": "8",
        PROGRESS_VARIABLE: "/elsewhere",
    }
    env = spec_of(store, settings, file, environment=slot).env
    assert (env["LEPTON_DEVICE"], env["CUDA_VISIBLE_DEVICES"]) == ("cuda:0", "3")
    assert env["MALLOC_ARENA_MAX"] == "8"
    assert env[PROGRESS_VARIABLE] == str(file)
    plain = spec_of(store, settings, file).env
    assert WORKER_ENVIRONMENT.items() <= plain.items()
    assert "CUDA_VISIBLE_DEVICES" not in plain


def test_it_consumes_its_tasks_under_its_node_name(
    store: Store, settings: Settings, file: Path
) -> None:
    loud = settings.model_copy(update={"log_level": "DEBUG"})
    spec = spec_of(store, loud, file, ["moderation", "翻译"])
    assert list(spec.argv) == worker_command(["moderation", "翻译"], NODE, "DEBUG")
    assert spec.name == "worker"
    assert spec.restart


def test_a_device_that_broke_is_no_reason_to_wait(
    store: Store, settings: Settings, file: Path
) -> None:
    assert "device is broken" in spec_of(store, settings, file).at_once[DEVICE_FAULT_EXIT]


def test_it_is_ready_when_it_holds_its_lease(store: Store, settings: Settings, file: Path) -> None:
    before = spec_of(store, settings, file).ready
    assert before is not None and not before()
    store.leases.register("worker_9", "another@here", TASKS, 600)
    other = spec_of(store, settings, file).ready
    assert other is not None and not other()
    worker(store, NODE)
    after = spec_of(store, settings, file).ready
    assert after is not None and after()


def test_a_death_at_work_is_put_down_to_what_was_in_work(
    store: Store, settings: Settings, file: Path
) -> None:
    at_work, held = queued(store, a_job("坏", "fine"), a_job())
    store.claims.claim(worker(store, NODE), [at_work, held])
    spec = spec_of(store, settings, file)
    progress = worker_side(spec)
    progress.name(NODE)
    progress.device.hold([(at_work, 1)])
    said = spec.gone()
    assert said == f"input 1 of job {at_work} was in work and will run alone"
    assert store.leases.alive() == []
    store.recovery.recover()
    assert state(store, at_work) is JobState.SUSPECT
    assert state(store, held) is JobState.QUEUED


def test_a_death_at_rest_is_a_crash_like_any_other(
    store: Store, settings: Settings, file: Path
) -> None:
    [held] = queued(store, a_job())
    store.claims.claim(worker(store, NODE), [held])
    spec = spec_of(store, settings, file)
    progress = worker_side(spec)
    progress.name(NODE)
    progress.device.hold([(held, 0)])
    progress.device.clear()
    assert spec.gone() is None
    assert store.leases.alive() == []
    store.recovery.recover()
    assert state(store, held) is JobState.QUEUED


def test_one_that_died_before_it_had_an_id_ends_nobodys_lease(
    store: Store, settings: Settings, file: Path
) -> None:
    worker(store, NODE)
    spec = spec_of(store, settings, file)
    worker_side(spec)
    assert spec.gone() is None
    assert [one.id for one in store.leases.alive()] == [NODE]


def test_too_much_at_work_to_tell_is_everything(
    store: Store, settings: Settings, file: Path
) -> None:
    [held] = queued(store, a_job())
    store.claims.claim(worker(store, NODE), [held])
    spec = spec_of(store, settings, file)
    progress = worker_side(spec)
    progress.name(NODE)
    progress.encoding.hold((f"job_{number}", 0) for number in range(50_000))
    assert spec.gone() == "a great many inputs were in work and will run alone"
    store.recovery.recover()
    assert state(store, held) is JobState.SUSPECT


def test_its_memory_is_watched_where_there_is_a_limit(
    store: Store, settings: Settings, file: Path
) -> None:
    for limit, ails in ((1, True), (0, False)):
        watch = spec_of(store, settings, file, max_memory_bytes=limit).watch
        assert watch is not None
        ailment = watch(os.getpid())()
        assert (ailment is not None) == ails
        assert ailment is None or not ailment.kill


def test_a_file_that_cannot_be_made_is_told_before_anything_starts(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        spec_of(store, settings, tmp_path / "gone" / "progress")
