"""A process that dies at any moment of an upload leaves nothing that a sweep does not find."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_tasks.files.storage import FileStorage
from lepton_tasks.files.sweeper import LEFT_SECONDS, FileSweeper
from lepton_tasks.ids import new_id
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import open_store

_DIES = """
import os, signal, sys
from pathlib import Path
from lepton_tasks.files import drafts, storage

folder, file_id, moment = sys.argv[1:]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

draft = storage.FileStorage(Path(folder)).draft()
draft.write(b"x" * 1000)
if moment == "writing":
    die()
if moment == "renaming":
    drafts.flush_folder = die
draft.publish(file_id)
die()
"""


@pytest.mark.parametrize(
    ("moment", "where"), [("writing", "drafts"), ("renaming", "place"), ("storing", "place")]
)
def test_what_a_dead_process_left_is_swept(settings: Settings, moment: str, where: str) -> None:
    store, storage = open_store(settings), FileStorage(settings.files)
    kept = new_id("file")
    with storage.draft() as draft:
        draft.write(b"kept")
        draft.publish(kept)
    store.files.create("acme", kept, "batch", "a", 4)
    file_id = new_id("file")[:-2] + kept[-2:]  # whose folder is there already

    died = subprocess.run([sys.executable, "-c", _DIES, str(settings.files), file_id, moment])
    assert died.returncode == -signal.SIGKILL
    left = [path for path in settings.files.rglob("*") if path.is_file() and path.name != kept]
    [path] = left
    place = storage.path(file_id).parent if where == "place" else settings.files / "drafts"
    assert path.parent == place

    FileSweeper(store, storage).sweep()
    assert path.exists()  # its row may be on its way
    for one in (path, storage.path(kept)):
        _age(one)
    FileSweeper(store, storage).sweep()
    assert not path.exists()
    assert storage.path(kept).read_bytes() == b"kept"
    store.close()


def _age(path: Path) -> None:
    then = path.stat().st_mtime - LEFT_SECONDS
    os.utime(path, (then, then))
