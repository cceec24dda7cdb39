from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from lepton_tasks.launcher.child import Child, ChildSpec
from lepton_tasks.launcher.runfile import process_start


def python(code: str, **env: str) -> ChildSpec:
    return ChildSpec("child", [sys.executable, "-c", code], env=env)


def test_output_and_environment_and_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    log.write_text("an earlier run\n")
    code = (
        "import os, sys; print(os.environ['COLOUR'], 'HOME' in os.environ); "
        "sys.stdout.flush(); print('oops', file=sys.stderr); sys.exit(3)"
    )
    child = Child(python(code, COLOUR="青"), log)
    assert child.wait(30)
    assert child.exit_code() == 3
    child.kill_group()
    assert child.log_tail() == f"青 {'HOME' in os.environ}\noops"
    assert log.read_text().startswith("an earlier run\n青")


def test_what_it_started_is_killed_with_it(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    code = (
        "import subprocess, sys, time; "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    child = Child(python(code), tmp_path / "child.log")
    wait_until(lambda: child.log_tail().isdigit())
    grandchild = int(child.log_tail())
    child.terminate()
    assert child.wait(30)
    assert child.exit_code() == -signal.SIGTERM
    assert process_start(grandchild) is not None
    child.kill_group()
    wait_until(lambda: process_start(grandchild) is None)
