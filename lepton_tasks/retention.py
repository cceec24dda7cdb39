"""When the periodic work deletes what has ended long ago."""

from __future__ import annotations

import logging
import time
from typing import Final

from lepton_tasks.errors import StorageUnavailable
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.settings import Settings
from lepton_tasks.store.files import PAGE as FILES_PAGE
from lepton_tasks.store.store import Store

logger = logging.getLogger(__name__)

_DAY: Final = 86_400.0
_EVERY_SECONDS: Final = 60.0


class Retention:
    """Sweeps once a minute, and at each call while there is more than a page to delete."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Only what expires by itself is deleted where ``settings.retention_days`` is 0."""
        self._store = store
        self._keep = settings.retention_days * _DAY
        self._tombstones = settings.tombstone_days * _DAY
        self._storage = FileStorage(settings.files)
        self._next = float("-inf")

    def sweep(self) -> None:
        """Delete what is due, a page of each kind.

        Raises:
            StoreUnavailable: the database is away.
        """
        if time.monotonic() < self._next:
            return
        more = self._store.corpora.sweep()
        more = self._store.conversations.sweep() or more
        more = self._sweep_files() or self._sweep_uploads() or more
        if self._keep:
            swept = self._store.retention.sweep(self._keep, self._tombstones)
            more = self._store.task_results.sweep(self._keep) or swept.more or more
            if swept.jobs or swept.batches or swept.deliveries:
                logger.info(
                    "deleted what ended over %g days ago: %d jobs, %d batches, %d deliveries",
                    self._keep / _DAY,
                    swept.jobs,
                    swept.batches,
                    swept.deliveries,
                )
        if not more:
            self._store.database.checkpoint()
            self._next = time.monotonic() + _EVERY_SECONDS

    def _sweep_files(self) -> bool:
        """Delete files that have expired; whether there may be more.

        The content goes at once where this process has the folder; elsewhere an io worker
        finds that it has no row.
        """
        gone = self._store.files.sweep(self._keep)
        for file_id in gone:
            try:
                self._storage.delete(file_id)
            except StorageUnavailable as error:
                logger.warning("the content of expired files is left to the next sweep: %s", error)
                break
        if gone:
            logger.info("deleted %d files that had expired", len(gone))
        return len(gone) >= FILES_PAGE

    def _sweep_uploads(self) -> bool:
        """Give up uploads whose time is over; whether there may be more."""
        expired = self._store.uploads.sweep()
        for upload_id in expired:
            self._storage.delete_upload(upload_id)
        return len(expired) >= FILES_PAGE
