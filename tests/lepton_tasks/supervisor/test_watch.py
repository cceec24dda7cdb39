"""Real processes that outgrow their memory; hung ones are in ``tests/workers/test_progress.py``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from lepton_tasks.launcher.child import ChildSpec
from lepton_tasks.launcher.launcher import Launcher
from lepton_tasks.supervisor.progress import ProgressReader
from lepton_tasks.supervisor.watch import MEGABYTE, Limits, WorkerWatch, resident_bytes

LIMIT = 150 * MEGABYTE

# Grows beyond the limit the first time it runs, and notes how it ends.
GROW = """
import os, signal, sys, time
journal = sys.argv[1]
first = not os.path.exists(journal)
def note(word):
    with open(journal, "a") as file:
        file.write(word + "\\n")
def stop(*args):
    note("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note("started")
held = bytearray(os.urandom(1024)) * (300 * 1024) if first else None
while True:  # a signal that came while memory grew is heeded between sleeps only
    time.sleep(0.1)
"""


def test_a_process_that_outgrows_its_memory_is_drained_and_replaced(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    progress = ProgressReader(tmp_path / "progress")
    status: list[str] = []
    spec = ChildSpec(
        "worker",
        [sys.executable, "-c", GROW, str(journal)],
        ready=journal.exists,
        watch=lambda pid: WorkerWatch(pid, progress, Limits(60.0, LIMIT)),
    )
    with Launcher([spec], None, on_status=status.append):
        end = time.monotonic() + 60
        while journal.read_text().split() != ["started", "drained", "started"]:
            assert time.monotonic() < end, status
            time.sleep(0.05)
    [asked, again] = [line for line in status if "--max-memory-mb" in line]
    assert asked.endswith("MB of memory, more than 150 MB (--max-memory-mb), asked it to end")
    assert again.endswith("starting again in 0.5 s")


def test_a_process_that_is_gone_uses_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert resident_bytes(process.pid) > 0
        process.kill()
        process.wait()
    assert resident_bytes(process.pid) == 0


def test_without_limits_nothing_ails(tmp_path: Path) -> None:
    progress = ProgressReader(tmp_path / "progress")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert WorkerWatch(process.pid, progress, Limits(60.0, 0))() is None
        process.kill()
