"""One row is written again and again; a disk without room and a read-only file are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from lepton_tasks.store.store import Store
from lepton_tasks.store.trial import markers, try_writing

FULL = """
import resource, sys
from pathlib import Path
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.store.database import Database
from lepton_tasks.store.schema import upgrade_schema
from lepton_tasks.store.trial import try_writing

file = Path(sys.argv[1])
database = Database(f"sqlite:///{file}")
upgrade_schema(database)
try_writing(database)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
log = Path(f"{file}-wal").stat().st_size
for limit in (log, most):  # no file may grow, then any
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    try:
        for _ in range(3):
            try_writing(database)
    except StoreUnavailable as error:
        print("refused:", "cannot be used" in str(error))
    else:
        print("written")
"""
"""A disk on which no file may grow, made without being root: a limit of this process."""


def test_one_row_is_written_each_time_anew(quick_store: Store) -> None:
    seen = set()
    for _ in range(3):
        try_writing(quick_store.database)
        with quick_store.database.read() as connection:
            [value] = connection.execute(select(markers.c.value)).scalars()
        seen.add(value)
    assert len(seen) == 3


def test_a_disk_without_room_is_told_and_so_is_its_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "store.db")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["refused: True", "written"]
