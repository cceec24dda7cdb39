"""Whether all ``custom_id`` of a file differ, told in memory that does not grow with the file."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lepton_tasks.errors import StorageFull, StorageUnavailable
from lepton_tasks.managed import Closing

_PAGE: Final = 10_000
_CACHE_KIB: Final = 16 * 1_024


class CustomIds(Closing):
    """The ids of a file and the lines that have them, in a file of its own that goes with it.

    Their hashes are kept, of 128 bits each: two ids are never taken for one.
    """

    def __init__(self, path: Path) -> None:
        """Begin without any; what an earlier run left at ``path`` is deleted.

        Raises:
            StorageUnavailable: the file cannot be written.
        """
        self._path = path
        self._new: list[tuple[bytes, int]] = []
        with _translated():
            path.unlink(missing_ok=True)
            self._file = sqlite3.connect(path, isolation_level=None)
            for pragma in (
                "journal_mode=OFF",
                "synchronous=OFF",
                "locking_mode=EXCLUSIVE",
                f"cache_size=-{_CACHE_KIB}",
            ):
                self._file.execute(f"PRAGMA {pragma}")
            self._file.execute("CREATE TABLE ids (hash BLOB PRIMARY KEY, line INT) WITHOUT ROWID")

    def add(self, custom_id: str, line: int) -> Sequence[tuple[int, int]]:
        """Note an id; returns lines that had an earlier one's, each with the first that has it.

        They are told some lines late: :meth:`rest` tells the last of them.

        Raises:
            StorageUnavailable: the disk is full or failed.
        """
        digest = hashlib.blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=16)
        self._new.append((digest.digest(), line))
        return self.rest() if len(self._new) >= _PAGE else ()

    def rest(self) -> Sequence[tuple[int, int]]:
        """Note what was not noted; returns as above."""
        page, self._new = self._new, []
        with _translated():
            before = self._file.total_changes
            self._file.execute("BEGIN")
            # In order, so that the pages of a large table are each gone to once.
            self._file.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", sorted(page))
            self._file.execute("COMMIT")
            if self._file.total_changes - before == len(page):
                return ()
            firsts = [(line, self._first(digest)) for digest, line in page]
        return [(line, first) for line, first in firsts if first != line]

    def _first(self, digest: bytes) -> int:
        row = self._file.execute("SELECT line FROM ids WHERE hash = ?", (digest,)).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if "full" in str(error) or "No space" in str(error):
            raise StorageFull(
                "there is no room for files; make some, or move LEPTON_FILES_FOLDER"
            ) from error
        raise StorageUnavailable(f"LEPTON_FILES_FOLDER cannot be used: {error}") from error
