"""Tunings on disk: whole or absent, one a key."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from workers.tuning.cache import Tuning, TuningCache, TuningKey, device_label
from workers.tuning.choice import Point

KEY = TuningKey("moderation", "abc", "x86_64 AVX2", "float32", "2.13.0", 2, 0)
POINTS = [Point(1, 256, 3000.0, 60.0, 0.08), Point(1, 512, 0.0, 0.0, 0.0, out_of_memory=True)]
TUNING = Tuning(POINTS[0], POINTS)


@pytest.fixture
def cache(tmp_path: Path) -> TuningCache:
    return TuningCache(tmp_path)


def test_what_is_written_is_read(cache: TuningCache) -> None:
    assert cache.read(KEY) is None
    cache.write(KEY, TUNING)
    assert cache.read(KEY) == TUNING
    assert [path.name for path in cache.path(KEY).parent.iterdir()] == [cache.path(KEY).name]


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, model="another"),
        replace(KEY, revision="abd"),
        replace(KEY, device="another"),
        replace(KEY, dtype="bfloat16"),
        replace(KEY, torch="2.14.0"),
        replace(KEY, cpus=4),
        replace(KEY, threads=1),
    ],
)
def test_another_model_or_machine_has_a_tuning_of_its_own(
    cache: TuningCache, other: TuningKey
) -> None:
    cache.write(KEY, TUNING)
    assert cache.read(other) is None
    cache.path(KEY).rename(cache.path(other))
    assert cache.read(other) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"key": 1}', b'"budget": 512', b"null"]
)
def test_an_unreadable_file_is_no_tuning(cache: TuningCache, content: bytes) -> None:
    cache.write(KEY, TUNING)
    cache.path(KEY).write_bytes(content)
    assert cache.read(KEY) is None


def test_a_budget_that_no_worker_could_run_is_no_tuning(cache: TuningCache) -> None:
    cache.write(KEY, TUNING)
    text = cache.path(KEY).read_text()
    cache.path(KEY).write_text(text.replace('"budget": 256', '"budget": 0'))
    assert cache.read(KEY) is None


def test_a_model_name_cannot_leave_the_folder(cache: TuningCache, tmp_path: Path) -> None:
    path = cache.path(replace(KEY, model="../../审核/x"))
    assert path.parent == tmp_path / "tuning"


def test_a_home_that_takes_no_files_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = TuningCache(tmp_path / "file")
    with cache.alone():
        cache.write(KEY, TUNING)
    assert cache.read(KEY) is None


def test_only_one_measures_at_a_time(cache: TuningCache, tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with TuningCache(tmp_path).alone():
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.alone():
        thread.start()
        waiting.wait()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_cpu_is_named_by_what_it_can_do() -> None:
    assert torch.backends.cpu.get_cpu_capability() in device_label(torch.device("cpu"))
