"""Deletes content that no row names: what a crash, or a process without the folder, left."""

from __future__ import annotations

import logging
import time
import uuid
from typing import Final

from lepton_tasks.errors import StorageUnavailable
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

LEFT_SECONDS: Final = 3600.0
"""How long nothing was written to what may be swept: its row may be on its way until then."""
_EVERY_SECONDS: Final = 60.0
_SHARDS_AT_ONCE: Final = 32


class FileSweeper:
    """Looks once a minute at a part of the folder, so that it has seen all in half an hour.

    Several may share a folder: what one has deleted is none for the next. A folder belongs to
    one database.
    """

    def __init__(self, store: Store, storage: FileStorage) -> None:
        self._store = store
        self._storage = storage
        self._next = float("-inf")
        self._shards: list[str] = []

    def sweep(self) -> None:
        """Delete what is due, if a minute has passed.

        Raises:
            StoreUnavailable: the database is away.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        try:
            if not self._is_ours():
                return
            count = self._sweep_files() + self._storage.sweep_drafts(LEFT_SECONDS)
            self._sweep_uploads()
            self._sweep_batches()
        except OSError as error:
            logger.warning("the folder of files cannot be swept: %s", error.strerror)
        except StorageUnavailable as error:
            logger.warning("%s", error)
        else:
            if count:
                logger.info("deleted %d files that nothing names", count)

    def _is_ours(self) -> bool:
        """Whether our database's rows are those that name what is in the folder.

        To any other database everything there would look like left behind.
        """
        database = self._store.outbox.marker("files", uuid.uuid4().hex)
        if self._storage.owner(database) == database:
            return True
        logger.error(
            "LEPTON_FILES_FOLDER belongs to another database, so nothing in it is swept; name "
            "another folder, or delete %s where that database is no more",
            self._storage.folder / "database",
        )
        return False

    def _sweep_files(self) -> int:
        if not self._shards:
            self._shards = self._storage.shards()
        page, self._shards = self._shards[:_SHARDS_AT_ONCE], self._shards[_SHARDS_AT_ONCE:]
        count = 0
        for shard in page:
            ids = self._storage.old_files(shard, LEFT_SECONDS)
            for file_id in set(ids) - self._store.files.known(ids):
                self._storage.delete(file_id)
                count += 1
        return count

    def _sweep_uploads(self) -> None:
        ids = self._storage.old_uploads(LEFT_SECONDS)
        for upload_id in set(ids) - self._store.uploads.pending(ids):
            self._storage.delete_upload(upload_id)

    def _sweep_batches(self) -> None:
        ids = self._storage.old_batches(LEFT_SECONDS)
        for batch_id in set(ids) - self._store.files.open_batches(ids):
            self._storage.delete_batch(batch_id)
