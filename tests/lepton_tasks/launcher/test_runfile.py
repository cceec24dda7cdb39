from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lepton_tasks.launcher.errors import AlreadyRunning
from lepton_tasks.launcher.runfile import claim_home, process_start, read_runfile

HOLDER = """
import sys, time
from pathlib import Path
from lepton_tasks.launcher.runfile import claim_home
with claim_home(Path(sys.argv[1])) as run:
    run.write(redis_url="redis://:secret@127.0.0.1:1/0", database_url="sqlite:///x")
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is up on ``tmp_path``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            yield process
        finally:
            process.kill()


def test_says_what_runs_while_it_runs(tmp_path: Path) -> None:
    assert read_runfile(tmp_path) is None
    with claim_home(tmp_path) as run:
        assert read_runfile(tmp_path) is None
        run.write(redis_url="redis://:secret@127.0.0.1:1/0", database_url="sqlite:///x")
        written = run.write(
            redis_url="redis://:secret@127.0.0.1:1/0",
            database_url="sqlite:///x",
            api_url="http://127.0.0.1:2",
        )
        assert read_runfile(tmp_path) == written
        assert written.pid == os.getpid()
        assert written.api_url == "http://127.0.0.1:2"
        assert stat.S_IMODE(run.path.stat().st_mode) == 0o600
        assert sorted(path.name for path in run.path.parent.iterdir()) == ["up.json", "up.lock"]
    assert read_runfile(tmp_path) is None
    assert not run.path.exists()


def test_the_second_is_told_who_is_first(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    message = f"already running on .*, pid {holder.pid};.*LEPTON_HOME"
    with pytest.raises(AlreadyRunning, match=message), claim_home(tmp_path):
        pytest.fail("two on one home")
    info = read_runfile(tmp_path)
    assert info is not None
    assert info.pid == holder.pid


def test_a_killed_one_leaves_no_claim(
    tmp_path: Path,
    holder: subprocess.Popen[str],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    holder.kill()
    # Dead but not reaped yet: the process entry is still there.
    wait_until(lambda: read_runfile(tmp_path) is None)
    holder.wait()
    assert (tmp_path / "run" / "up.json").exists()
    assert read_runfile(tmp_path) is None
    with claim_home(tmp_path) as run:
        assert not run.path.exists()


def test_a_later_process_with_the_same_pid_is_another(tmp_path: Path) -> None:
    with claim_home(tmp_path) as run:
        info = run.write(redis_url="r", database_url="d")
        assert info.process_start is not None
        other = info.model_copy(update={"process_start": info.process_start + 1})
        run.path.write_text(other.model_dump_json())
        assert read_runfile(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "x"}', b"\xff\xfe"])
def test_a_broken_file_is_none(tmp_path: Path, content: bytes) -> None:
    with claim_home(tmp_path) as run:
        run.path.write_bytes(content)
        assert read_runfile(tmp_path) is None


def test_a_process_that_does_not_exist_has_no_start() -> None:
    assert process_start(2**22 + 1) is None  # above the largest pid of Linux
    assert process_start(os.getpid()) is not None
