"""Results of a batch while it runs, and after: the same lines, by the same cursors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from lepton_tasks.errors import Gone, NotFound, StorageUnavailable
from lepton_tasks.files.faults import translated
from lepton_tasks.files.result_lines import ResultLine, read_lines, wrong_cursor
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.states import BATCH_TERMINAL, BatchState
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.store import Store

PAGE_BYTES: Final = 1 << 18
"""About the most bytes of a page; a single line may have more."""


class ResultFile(StrEnum):
    """Which of a batch's two files: answers, or the lines that have none."""

    OUTPUT = "output"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Lines, the cursor behind them, and whether there are more right now.

    ``state`` is the batch's, read before the lines: once it has ended and there are no more,
    that was all.
    """

    lines: Sequence[ResultLine]
    cursor: int
    has_more: bool
    state: BatchState

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return self.state in BATCH_TERMINAL and not self.has_more


class ResultReader:
    """Reads what batches have written, wherever that is just then."""

    def __init__(self, store: Store, storage: FileStorage) -> None:
        self._store = store
        self._storage = storage

    def page(
        self,
        tenant: str,
        batch_id: str,
        which: ResultFile,
        after: int,
        limit: int,
        param: str = "after",
    ) -> ResultPage:
        """Read lines behind ``after``; none is there that the batch may write once more.

        Raises:
            NotFound: the tenant has no such batch, or one that a command reads; or (Gone) the
                file was deleted.
            InvalidInput: ``after`` is no cursor of it; ``param`` is its name.
            StorageUnavailable: the file cannot be read.
        """
        batch = self._batch(tenant, batch_id)
        try:
            return self._page(batch, which, after, limit, param)
        except OSError:
            # It may have ended meanwhile, and what it wrote be elsewhere.
            batch = self._batch(tenant, batch_id)
            with translated():
                return self._page(batch, which, after, limit, param)

    def _batch(self, tenant: str, batch_id: str) -> Batch:
        batch = self._store.batches.get(tenant, batch_id)
        if not batch.endpoint:
            raise NotFound(f"{batch_id} has no results here; its command writes them to a file")
        return batch

    def _page(
        self, batch: Batch, which: ResultFile, after: int, limit: int, param: str
    ) -> ResultPage:
        path, end = self._place(batch, which)
        if after > end and batch.state in BATCH_TERMINAL:
            raise wrong_cursor(param)
        lines = read_lines(path, after, end, limit, PAGE_BYTES, param) if after < end else []
        cursor = lines[-1].cursor if lines else after
        if after < end and not lines and batch.state in BATCH_TERMINAL:
            raise StorageUnavailable(f"{path} is shorter than its row says")
        return ResultPage(lines, cursor, bool(lines) and cursor < end, batch.state)

    def _place(self, batch: Batch, which: ResultFile) -> tuple[Path, int]:
        """Where the lines are, and how many bytes of them are final."""
        is_output = which is ResultFile.OUTPUT
        if batch.state not in BATCH_TERMINAL:
            written = batch.output_bytes if is_output else batch.error_bytes
            return self._storage.batch_folder(batch.id) / f"{which}.jsonl", written
        file_id = batch.output_file_id if is_output else batch.error_file_id
        if file_id is None:
            return self._storage.batch_folder(batch.id), 0
        try:
            size = self._store.files.get(batch.tenant, file_id).size
        except NotFound as error:
            raise Gone(f"the file of {batch.id} was deleted, {file_id}") from error
        return self._storage.path(file_id), size
