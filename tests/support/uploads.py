"""Uploaded files and batches of them in a real store and a real folder, and who runs them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from lepton_tasks.batches.orders import read_order
from lepton_tasks.batches.run import Bench, UploadedRun
from lepton_tasks.batches.watch import Watch
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.nlp.registry import find_tasks
from lepton_tasks.producer import Producer
from lepton_tasks.requests import Admission
from lepton_tasks.settings import Settings
from lepton_tasks.store.batch_runs import BatchClaim
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.store import Store

TENANT = "acme"


def request_line(custom_id: str, body: Any, url: str = "/v1/jobs", **more: Any) -> dict[str, Any]:
    """A line of an uploaded file."""
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body, **more}


def asking(*texts: str, **options: Any) -> dict[str, Any]:
    """A body that asks for the moderation of one text, or of several."""
    inputs = {"input": texts[0]} if len(texts) == 1 else {"inputs": list(texts)}
    return {"task": "moderation", **inputs, "options": options}


def packed(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """JSON Lines."""
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


class Yard:
    """A store, a folder of files and a producer, as an io worker has them."""

    def __init__(self, settings: Settings, store: Store | None = None, **more: Any) -> None:
        self.settings = settings
        self.storage = FileStorage(settings.files)
        self.producer = Producer(settings, store, durable=False)
        self.store = self.producer.store
        admission = Admission(find_tasks(), settings.max_items_per_job)
        self.bench = Bench(self.producer, self.storage, admission, **more)

    def upload(self, content: bytes | Path, tenant: str = TENANT) -> str:
        """Store a file, or a copy of one; returns its id."""
        file_id = new_id("file")
        with self.storage.draft() as draft:
            if isinstance(content, Path):
                draft.append(content)
            else:
                draft.write(content)
            draft.publish(file_id)
            size = draft.size
        self.store.files.create(tenant, file_id, "batch", "in.jsonl", size)
        return file_id

    def order(
        self,
        content: bytes | Path | Iterable[Mapping[str, Any]],
        endpoint: str = "/v1/jobs",
        tenant: str = TENANT,
        **fields: Any,
    ) -> Batch:
        """Store a file and order a batch of it."""
        data = content if isinstance(content, bytes | Path) else packed(content)
        body = {"input_file_id": self.upload(data, tenant), "endpoint": endpoint, **fields}
        order = read_order(body, None)
        return self.store.batch_orders.create(tenant, new_id("batch"), order).batch

    def claim(self, holder: str = "io-1", seconds: float = 60.0) -> BatchClaim:
        """Claim the batch that is due."""
        claim = self.store.batch_runs.claim(holder, seconds)
        assert claim is not None
        return claim

    def run(self, claim: BatchClaim | None = None, watch: Watch | None = None) -> Batch:
        """Run the batch that is due, or a claimed one, to its end; returns it as it ended."""
        claim = claim or self.claim()
        UploadedRun(self.bench, claim, watch or Watch(claim)).run()
        return self.read(claim.id, claim.tenant)

    def read(self, batch_id: str, tenant: str = TENANT) -> Batch:
        """The batch as it is."""
        return self.store.batches.get(tenant, batch_id)

    def content(self, file_id: str | None) -> bytes:
        """Content of a file; nothing where there is none."""
        return b"" if file_id is None else self.storage.path(file_id).read_bytes()

    def rows(self, file_id: str | None) -> list[dict[str, Any]]:
        """Its lines, all of which must be whole."""
        data = self.content(file_id)
        assert data.endswith(b"\n") or not data
        return [orjson.loads(line) for line in data.splitlines()]

    def close(self) -> None:
        """Close connections."""
        self.producer.close()


def interrupted_at(watch: Watch, yard: Yard, claim: BatchClaim, lines: int) -> threading.Thread:
    """A thread that interrupts a run once so many of its lines are written."""

    def look() -> None:
        while sum(yard.read(claim.id, claim.tenant).lines[1:]) < lines:
            if watch.stop.wait(0.02):
                return
        watch.interrupt()

    thread = threading.Thread(target=look)
    thread.start()
    return thread
