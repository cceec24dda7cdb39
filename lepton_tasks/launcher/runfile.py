"""What runs on a home folder: one system at a time, and where to reach it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lepton_tasks.launcher.errors import AlreadyRunning


class RunInfo(BaseModel):
    """A running ``lepton up``: its process and its addresses (passwords included).

    ``process_start`` tells the process from a later one with the same pid:
    clock ticks since boot on Linux, None where the system does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    process_start: int | None
    redis_url: str
    database_url: str
    api_url: str | None = None
    flower_url: str | None = None


class RunFile:
    """The state file of the system this process runs; made by :func:`claim_home`."""

    def __init__(self, path: Path) -> None:
        """``path`` is the file to write."""
        self.path = path

    def write(
        self,
        *,
        redis_url: str,
        database_url: str,
        api_url: str | None = None,
        flower_url: str | None = None,
    ) -> RunInfo:
        """Say where the system is, at once or not at all; replaces what was said before."""
        pid = os.getpid()
        info = RunInfo(
            pid=pid,
            process_start=process_start(pid),
            redis_url=redis_url,
            database_url=database_url,
            api_url=api_url,
            flower_url=flower_url,
        )
        # mkstemp makes the file readable by its owner alone.
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".up-")
        staged = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(info.model_dump_json(indent=2))
            staged.replace(self.path)
        except BaseException:
            staged.unlink()
            raise
        return info


@contextlib.contextmanager
def claim_home(home: Path) -> Iterator[RunFile]:
    """Be the one system on ``home`` while the block runs; remove its state file after.

    The claim is a lock that the kernel drops when this process ends, however it
    ends. Raises AlreadyRunning when another process has it, OSError when
    the folder cannot be written.
    """
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 32, 0).decode("ascii", errors="replace").strip()
            raise AlreadyRunning(
                f"lepton is already running on {home}, pid {owner or 'unknown'}; stop it first, "
                "or set LEPTON_HOME to another folder"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        path = _state_path(home)
        path.unlink(missing_ok=True)  # of a run that was killed
        try:
            yield RunFile(path)
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def read_runfile(home: Path) -> RunInfo | None:
    """Return the system that runs on ``home``, None when there is none.

    A file left by a process that is gone, or one that does not parse, is none.
    """
    try:
        info = RunInfo.model_validate_json(_state_path(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return info if _alive(info) else None


def process_start(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; see proc_pid_stat(5).

    None when there is no such process, when it has ended and only waits to be
    reaped, or when the system has no ``/proc``.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the name in parentheses, may itself hold spaces and parentheses.
    state, *rest = stat.rpartition(b")")[2].split()
    return None if state in (b"Z", b"X") else int(rest[18])


def _alive(info: RunInfo) -> bool:
    if info.process_start is not None:
        return process_start(info.pid) == info.process_start
    try:
        os.kill(info.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as someone else
        return True
    return True


def _state_path(home: Path) -> Path:
    return home / "run" / "up.json"
