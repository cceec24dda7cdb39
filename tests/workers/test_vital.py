"""A broken vital thread ends the process, with the reason and without a user's text."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from lepton_tasks.supervisor.progress import DEVICE_FAULT_EXIT
from workers.vital import BROKEN_EXIT

PROGRAM = """
    from workers.device_faults import DeviceFault
    from workers.vital import vital_thread

    def work():
        {work}

    thread = vital_thread(work, "finisher")
    thread.start()
    thread.join()
    print("still here")
"""


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        ("raise DeviceFault('device-side assert')", DEVICE_FAULT_EXIT, "device-side assert"),
        ("raise KeyError('a secret')", BROKEN_EXIT, "the finisher thread broke: KeyError"),
    ],
)
def test_an_error_ends_the_process(work: str, code: int, said: str) -> None:
    ended = run(work)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "a secret" not in ended.stderr
    assert "still here" not in ended.stdout


def test_a_thread_that_is_done_ends_nothing() -> None:
    ended = run("return")
    assert ended.returncode == 0
    assert "still here" in ended.stdout


def run(work: str) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(PROGRAM).format(work=work)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
