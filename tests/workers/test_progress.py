"""The progress of a worker as its supervisor sees it, and what it does about a hung one."""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

import pytest

from lepton_tasks.in_work import InWork
from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.supervisor.progress import (
    PROGRESS_BYTES,
    PROGRESS_VARIABLE,
    LastWords,
    ProgressReader,
)
from lepton_tasks.supervisor.watch import Limits, WorkerWatch
from workers.progress import Progress, open_progress

HUNG_SECONDS = 1.5

# Hangs in its second micro-batch the first time it runs; works on when started again.
WORK = """
import ctypes, os, sys, time
from workers.progress import open_progress
journal, how = sys.argv[1], sys.argv[2]
first = not os.path.exists(journal)
progress = open_progress()
with progress.busy():
    pass
with open(journal, "a") as file:
    file.write("started\\n")
while not first:
    with progress.busy():
        time.sleep(0.01)
with progress.busy():
    if how == "waits":
        time.sleep(600)
    ctypes.PyDLL(None).sleep(600)  # in C, with the GIL held: no other thread runs either
"""


def test_the_number_is_odd_while_a_micro_batch_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ProgressReader(tmp_path / "progress")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(reader.path))
    progress = open_progress()
    assert reader.count() == 0
    with progress.busy():
        assert reader.count() == 1
    assert reader.count() == 2
    with pytest.raises(ValueError, match="poison"), progress.busy():
        raise ValueError("poison")
    assert reader.count() == 4


def test_a_new_process_begins_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ProgressReader(tmp_path / "progress")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(reader.path))
    with open_progress().busy():  # killed in here
        open_progress()
        assert reader.count() == 0


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ProgressReader, Progress]:
    """The supervisor's side of a file and the worker's."""
    reader = ProgressReader(tmp_path / "progress")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(reader.path))
    return reader, open_progress()


def test_what_is_in_work_is_named_until_it_is_cleared(
    both: tuple[ProgressReader, Progress],
) -> None:
    reader, progress = both
    progress.device.hold([("job_1", 0)])
    assert reader.last_words() is None  # no lease can be held without an id
    progress.name("worker_1")
    assert reader.last_words() == LastWords("worker_1", InWork.of([("job_1", 0)]))
    progress.device.hold([("作业", 3), ("a b\nc", 7), ("作业", 4)])
    progress.encoding.hold([("job_2", 1)])
    last = reader.last_words()
    assert last is not None
    assert last.in_work.places == {"作业": (3, 4), "a b\nc": (7,), "job_2": (1,)}
    progress.device.clear()
    assert reader.last_words() == LastWords("worker_1", InWork.of([("job_2", 1)]))
    progress.encoding.clear()
    assert reader.last_words() == LastWords("worker_1", InWork.of([]))


def test_more_than_fits_counts_as_everything(both: tuple[ProgressReader, Progress]) -> None:
    reader, progress = both
    progress.name("worker_1")
    progress.device.hold((f"job_{number:0250}", 0) for number in range(2000))
    assert reader.last_words() == LastWords("worker_1", InWork.all_of_it())
    progress.device.hold([("job_1", 0)])
    assert reader.last_words() == LastWords("worker_1", InWork.of([("job_1", 0)]))


def test_a_new_process_has_nothing_in_work(both: tuple[ProgressReader, Progress]) -> None:
    reader, progress = both
    progress.name("worker_1")
    progress.device.hold([("job_1", 0)])
    open_progress().name("worker_2")
    assert reader.last_words() == LastWords("worker_2", InWork.of([]))


def test_without_a_supervisor_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PROGRESS_VARIABLE, raising=False)
    with open_progress().busy(), Progress(mmap.mmap(-1, PROGRESS_BYTES)).busy():
        pass


@pytest.mark.parametrize("how", ["waits", "holds the GIL"])
def test_a_hung_process_is_killed_and_replaced(tmp_path: Path, how: str) -> None:
    journal = tmp_path / "journal"
    progress = ProgressReader(tmp_path / "progress")
    status: list[str] = []
    spec = ChildSpec(
        "worker",
        [sys.executable, "-c", WORK, str(journal), how],
        env={PROGRESS_VARIABLE: str(progress.path)},
        ready=journal.exists,
        watch=lambda pid: WorkerWatch(pid, progress, Limits(HUNG_SECONDS, 0)),
    )
    with Launcher([spec], None, grace=60.0, on_status=status.append):
        end = time.monotonic() + 60
        while journal.read_text().split() != ["started", "started"] or progress.count() < 8:
            assert time.monotonic() < end, status
            time.sleep(0.05)
    assert [line for line in status if "starting again" in line] == [
        "worker: ran one micro-batch for over 1.5 s (LEPTON_HUNG_SECONDS) and was killed, "
        "starting again in 0.5 s"
    ]


def test_threads_share_a_region(both: tuple[ProgressReader, Progress]) -> None:
    reader, progress = both
    progress.name("worker_1")
    one, other = progress.generating.share(), progress.generating.share()
    one.hold([("job_1", 0), ("job_2", 1)])
    other.hold([("作业", 3)])
    progress.device.hold([("job_2", 4)])
    last = reader.last_words()
    assert last is not None
    assert last.in_work.places == {"job_1": (0,), "job_2": (4, 1), "作业": (3,)}
    one.hold([("job_3", 0)])
    one.clear()
    one.clear()
    assert reader.last_words() == LastWords("worker_1", InWork.of([("job_2", 4), ("作业", 3)]))
    progress.device.clear()
    other.hold([])
    assert reader.last_words() == LastWords("worker_1", InWork.of([]))
