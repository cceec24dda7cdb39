"""A disk of 16 MB that fills up under a SQLite store, and has room again after a while."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import event

from tests.chaos.checker import Verdict
from tests.chaos.load import Load
from tests.chaos.rig import Rig, Setup, running

SIZE_MB: Final = 16
_NO_LIMIT: Final = 1_000_000
_BLOCK: Final = bytes(64 * 1024)


class MountRefused(Exception):
    """Nobody may mount a file system here."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, gone after the block.

    Raises:
        MountRefused: it takes root, or a container that allows it.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MountRefused(getattr(error, "stderr", "") or str(error)) from error
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def full_disk(folder: Path, jobs: int) -> tuple[Verdict, int]:
    """Fill the disk to the last byte under load, wait for refusals, then make room.

    Returns the verdict, and how many submits were refused meanwhile.

    Raises:
        MountRefused: see :func:`small_disk`.
    """
    with (
        small_disk(folder / "disk") as disk,
        running(f"sqlite:///{disk / 'store.db'}", folder, Setup(slots=1)) as rig,
    ):
        return _fill(rig, jobs, lambda: _fill_up(disk / "ballast"), (disk / "ballast").unlink)


def full_database(folder: Path, jobs: int) -> tuple[Verdict, int]:
    """The same without a mount: SQLite is told that its file may not grow, in the client alone."""
    with running(f"sqlite:///{folder / 'store.db'}", folder, Setup(slots=1)) as rig:
        limit = _PageLimit(rig)
        return _fill(rig, jobs, limit.close_in, limit.lift)


class _PageLimit:
    """Sets ``max_page_count`` on each connection that is taken from the pool."""

    def __init__(self, rig: Rig) -> None:
        self._closed = False
        event.listen(rig.store.database.engine, "checkout", self._apply)

    def close_in(self) -> None:
        self._closed = True

    def lift(self) -> None:
        self._closed = False

    def _apply(self, connection: object, *_: object) -> None:
        pages = 1 if self._closed else 1_073_741_823
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]


def _fill(
    rig: Rig, jobs: int, fill: Callable[[], None], empty: Callable[[], None]
) -> tuple[Verdict, int]:
    with Load(rig) as load:
        load.wait_for(jobs // 2)
        fill()
        most_open, load.most_open = load.most_open, _NO_LIMIT  # nothing ends on a full disk
        rig.until(lambda: rig.log.unknown > 0, "the disk never was full")
        empty()
        load.most_open = most_open
        load.wait_for(jobs)
    rig.drain()
    return rig.verdict(), rig.log.unknown


def _fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(_BLOCK):
                pass
        except OSError:
            return
