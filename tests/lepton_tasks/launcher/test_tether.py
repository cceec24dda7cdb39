from __future__ import annotations

import signal
import subprocess
import sys
import threading

from lepton_tasks.launcher.tether import tethered

SLEEP = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"]


def test_the_command_gets_its_arguments_and_gives_its_exit_code() -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    ran = subprocess.run(
        tethered([sys.executable, "-c", code, "a b", "--x", "文"]), capture_output=True, text=True
    )
    assert ran.returncode == 7
    assert ran.stdout == "['a b', '--x', '文']\n"


def test_a_command_that_cannot_run_is_named() -> None:
    ran = subprocess.run(tethered(["/nowhere/redis-server"]), capture_output=True, text=True)
    assert ran.returncode == 127
    assert ran.stderr == "cannot run /nowhere/redis-server: No such file or directory\n"


def test_a_command_whose_parent_is_gone_does_not_run() -> None:
    argv = tethered([sys.executable, "-c", "print('ran')"])
    argv[argv.index("-S") + 2] = "1"  # not the parent of this one
    ran = subprocess.run(argv, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stdout == ""


def test_it_dies_with_the_thread_that_started_it() -> None:
    started: list[subprocess.Popen[str]] = []

    def start() -> None:
        process = subprocess.Popen(tethered(SLEEP), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        started.append(process)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with started[0] as process:
        try:
            assert process.wait(30) == -signal.SIGKILL
        finally:
            process.kill()
