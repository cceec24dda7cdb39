"""The progress of a worker as its supervisor sees it, and what it does about a hung one."""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

import pytest

from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.supervisor.progress import (
    PROGRESS_BYTES,
    PROGRESS_VARIABLE,
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
