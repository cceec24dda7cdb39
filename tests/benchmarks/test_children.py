"""Children end with their block, are timed out, and say why they failed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.benchmarks.children import StepFailed, answer, peak, running, wait_until

_FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_the_whole_family_is_dead_after_the_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running([sys.executable, "-c", _FAMILY], {}, log) as child:
        wait_until(lambda: bool(log.read_text().strip()), child, 60.0, "the start")
        grandchild = psutil.Process(int(log.read_text()))
        assert child.resident() > 0
    assert not psutil.pid_exists(child.pid)
    _, alive = psutil.wait_procs([grandchild], timeout=30)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def test_an_answer_is_the_last_json_object(tmp_path: Path) -> None:
    program = "print('a warning'); print('{\"a\": 1}'); print('another')"
    assert answer([sys.executable, "-c", program], {}, tmp_path / "log", 60.0) == {"a": 1}


@pytest.mark.parametrize(
    ("program", "limit", "why"),
    [
        ("raise SystemExit('no such queue')", 60.0, "exit code 1: no such queue"),
        ("print('nothing')", 60.0, "no answer came back: nothing"),
        ("import time; time.sleep(600)", 0.3, "not done after 0 s"),
    ],
)
def test_why_there_is_no_answer(program: str, limit: float, why: str, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=why):
        answer([sys.executable, "-c", program], {}, tmp_path / "log", limit)


def test_waiting_ends_with_the_process(tmp_path: Path) -> None:
    with (
        running([sys.executable, "-c", "raise SystemExit('gone')"], {}, tmp_path / "log") as child,
        pytest.raises(StepFailed, match="ended with exit code 1: gone"),
    ):
        wait_until(lambda: False, child, 60.0, "anything")


def test_a_peak_is_the_most_that_was_seen() -> None:
    sizes = iter([1, 5, 3, *[2] * 10_000])
    with peak({"it": lambda: next(sizes)}, every=0.001) as most:
        while most["it"] < 5:
            time.sleep(0.005)
    assert most == {"it": 5}
