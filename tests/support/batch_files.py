"""A batch whose runner is the test: it writes lines, says so, and ends."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from lepton_tasks.batches.orders import read_order
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_runs import LineCounts, Made, MadeFile
from lepton_tasks.store.store import Store

TENANT = "acme"


def lines_of(*names: str) -> bytes:
    """Lines of an output file, one for each name."""
    return b"".join(
        orjson.dumps({"id": f"batch_req_{name}", "custom_id": name, "error": None}) + b"\n"
        for name in names
    )


class WrittenBatch:
    """One batch in work. The store must have no other that waits."""

    def __init__(self, store: Store, storage: FileStorage, tenant: str = TENANT) -> None:
        self._store = store
        self._storage = storage
        file_id = new_id("file")
        store.files.create(tenant, file_id, "batch", "in.jsonl", 9)
        body = {
            "input_file_id": file_id,
            "endpoint": "/v1/moderations",
            "completion_window": "24h",
        }
        order = read_order(body, None)
        self.id = store.batch_orders.create(tenant, new_id("batch"), order).batch.id
        claim = store.batch_runs.claim("the test", 600.0)
        assert claim is not None
        assert claim.id == self.id
        self._claim = claim
        store.batch_runs.validated(claim, 100)
        self._folder = storage.make_batch_folder(self.id)
        self._sizes = [0, 0]

    def write(self, output: bytes = b"", errors: bytes = b"") -> None:
        """Append to the files, and tell of what is there."""
        for at, (name, data) in enumerate([("output", output), ("errors", errors)]):
            with (self._folder / f"{name}.jsonl").open("ab") as file:
                file.write(data)
            self._sizes[at] += len(data)
        self._store.batch_runs.progress(self._claim, LineCounts(), *self._sizes)

    def write_more(self, output: bytes) -> None:
        """Append what is not told of yet."""
        with (self._folder / "output.jsonl").open("ab") as file:
            file.write(output)

    def end(self, state: BatchState = BatchState.COMPLETED) -> Sequence[str | None]:
        """Publish the files and end; returns their ids."""
        output, errors = (MadeFile(new_id("file"), size) if size else None for size in self._sizes)
        for name, made in (("output", output), ("errors", errors)):
            if made is not None:
                self._storage.keep(self._folder / f"{name}.jsonl", made.id)
        self._store.batch_runs.finalizing(self._claim)
        self._store.batch_runs.finish(self._claim, state, Made(LineCounts(), output, errors))
        self._storage.delete_batch(self.id)
        return [None if made is None else made.id for made in (output, errors)]
