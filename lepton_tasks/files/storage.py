"""Where the content of files lies: a folder that the API and the io workers share.

    <folder>/<last two characters of an id>/<id>    content of a file
    <folder>/uploads/<upload>/<part>                parts of an upload that has not ended
    <folder>/batches/<batch>/                       what a batch writes while it runs
    <folder>/drafts/                                what is being written
    <folder>/database                               whose rows name what is here

A file appears in its place whole and durable, or not at all: it is written as a draft, flushed
and renamed. Its row is written after that and goes before it, so no row names what is not
there; content without a row is swept (:mod:`lepton_tasks.files.sweeper`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from lepton_tasks.files.drafts import Draft, make_folder
from lepton_tasks.files.faults import translated
from lepton_tasks.ids import new_id
from lepton_tasks.version_files import flush_folder, last_written

MOST_NAMES: Final = 10_000
"""Names of one folder that a sweep looks at."""

_ID: Final = re.compile(r"[a-z]+_[0-9a-z]{26}")
_SHARD: Final = re.compile(r"[0-9a-z]{2}")
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})


class FileStorage:
    """The folder of files. All calls wait for the disk; none makes it before something is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, file_id: str) -> Path:
        """Where the content of a file is, or would be.

        >>> FileStorage(Path("/srv/files")).path("file_01k3a8z2qv5p7x9d4w6e0m1n2b").parent.name
        '2b'

        Raises:
            ValueError: it is no id, so it may not become a path.
        """
        return self.folder / _checked(file_id)[-2:] / file_id

    def part_path(self, upload_id: str, part_id: str) -> Path:
        """Where a part of an upload is, or would be.

        Raises:
            ValueError: one is no id.
        """
        return self.folder / "uploads" / _checked(upload_id) / _checked(part_id)

    def batch_folder(self, batch_id: str) -> Path:
        """Where a batch writes while it runs; :meth:`make_batch_folder` makes it.

        Raises:
            ValueError: it is no id.
        """
        return self.folder / "batches" / _checked(batch_id)

    def make_batch_folder(self, batch_id: str) -> Path:
        """The same, made durably where it is not there.

        Raises:
            StorageUnavailable: it cannot be made.
        """
        place = self.batch_folder(batch_id)
        with translated():
            make_folder(place, self.folder)
        return place

    def draft(self) -> Draft:
        """Begin to write a file.

        Raises:
            StorageUnavailable: the folder cannot be written.
        """
        with translated():
            drafts = self.folder / "drafts"
            make_folder(drafts, self.folder)
            return Draft(self, drafts / new_id("draft"))

    def keep(self, source: Path, file_id: str) -> None:
        """Make the file ``source``, which changes no more, the content of ``file_id`` too.

        Whole and durable when this returns. ``source`` stays where it is, so this may be done
        again, under another id, by whoever does not know what became of it.

        Raises:
            StorageUnavailable: it cannot be; nothing is kept.
        """
        target = self.path(file_id)
        with translated():
            make_folder(target.parent, self.folder)
            with source.open("rb") as whole:
                os.fchmod(whole.fileno(), 0o600)
                os.utime(whole.fileno())  # what is young is not swept while its row is written
                os.fsync(whole.fileno())
            try:
                os.link(source, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
            else:
                flush_folder(target.parent)
                return
        with self.draft() as draft:
            draft.append(source)
            draft.publish(file_id)

    def delete(self, file_id: str) -> None:
        """Delete content; one that is not there is no error.

        Raises:
            StorageUnavailable: it cannot be deleted; a sweep does so later.
        """
        with translated():
            self.path(file_id).unlink(missing_ok=True)

    def delete_part(self, upload_id: str, part_id: str) -> None:
        """Delete a part of an upload; where that fails, it goes with the upload."""
        with contextlib.suppress(OSError):
            self.part_path(upload_id, part_id).unlink(missing_ok=True)

    def delete_upload(self, upload_id: str) -> None:
        """Delete the parts of an upload; what cannot be deleted, a sweep does later."""
        shutil.rmtree(self.folder / "uploads" / _checked(upload_id), ignore_errors=True)

    def delete_batch(self, batch_id: str) -> None:
        """Delete what a batch wrote; what cannot be deleted, a sweep does later."""
        shutil.rmtree(self.batch_folder(batch_id), ignore_errors=True)

    def owner(self, claimed: str) -> str:
        """The database whose rows name what is here: the first one that claimed the folder.

        A folder that is not there is anybody's.

        Raises:
            StorageUnavailable: it cannot be read or claimed.
        """
        mark = self.folder / "database"
        with translated():
            if not self.folder.is_dir():
                return claimed
            if not mark.exists():
                with self.draft() as draft:
                    draft.write(claimed.encode())
                    draft.publish_as(mark)
            return mark.read_text()

    def shards(self) -> list[str]:
        """Names of the folders that files are spread over, sorted; 1,024 at most."""
        return [name for name in sorted(_names(self.folder)) if _SHARD.fullmatch(name)]

    def old_files(self, shard: str, seconds: float) -> list[str]:
        """Ids of the files of one shard that were last written so long ago or longer."""
        return _old(self.folder / shard, seconds, _age)

    def old_uploads(self, seconds: float) -> list[str]:
        """Ids of uploads that no part was written of for so long."""
        return _old(self.folder / "uploads", seconds, last_written)

    def old_batches(self, seconds: float) -> list[str]:
        """Ids of batches that have a folder, in which nothing was written for so long."""
        return _old(self.folder / "batches", seconds, last_written)

    def sweep_drafts(self, seconds: float) -> int:
        """Delete drafts that nothing was written to for so long; returns how many."""
        names = _old(self.folder / "drafts", seconds, _age)
        for name in names:
            with contextlib.suppress(OSError):
                (self.folder / "drafts" / name).unlink(missing_ok=True)
        return len(names)


def _checked(one: str) -> str:
    if not _ID.fullmatch(one):
        raise ValueError("no id of ours")
    return one


def _names(folder: Path) -> list[str]:
    """Names in a folder, :data:`MOST_NAMES` at most; none where it is not there."""
    try:
        with os.scandir(folder) as found:
            return [one.name for one in islice(found, MOST_NAMES)]
    except FileNotFoundError:
        return []


def _old(folder: Path, seconds: float, last: Callable[[Path], float]) -> list[str]:
    before = time.time() - seconds
    names = [name for name in _names(folder) if _ID.fullmatch(name)]
    return [name for name in names if last(folder / name) <= before]


def _age(file: Path) -> float:
    """Unix seconds of the last writing; now where it is going away."""
    try:
        return file.stat().st_mtime
    except OSError:
        return time.time()
