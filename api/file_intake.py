"""Files on their way in: from a body to a draft, block by block, however slow the client is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool

from api.disk import Disk
from lepton_tasks.errors import Overloaded
from lepton_tasks.files.drafts import Draft
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.store.files import FileStore, files_full

MOST_AT_ONCE: Final = 256
"""Files that come in at the same time: each holds a block and an open file."""
MOST_OF_A_TENANT: Final = 64
_BLOCK: Final = 1 << 18
"""Bytes that are gathered before a thread writes them."""
_LATER_SECONDS: Final = 5.0


class Room:
    """How many bytes tenants may still send: what they keep, and what is on its way here.

    Lives on one event loop. What other processes take in at the same moment is seen when a
    file becomes a row.
    """

    def __init__(self, files: FileStore, tenant_bytes: int) -> None:
        """``tenant_bytes`` is the most that one may keep; 0 for any."""
        self._files = files
        self._most = tenant_bytes
        self._coming: Counter[str] = Counter()
        self._open: Counter[str] = Counter()

    async def kept(self, tenant: str) -> int:
        """Bytes that a tenant keeps; 0 where it may keep any."""
        return await run_in_threadpool(self._files.bytes_of, tenant) if self._most else 0

    @contextmanager
    def coming(self, tenant: str, kept: int) -> Iterator[Coming]:
        """Count what comes of one file while the block lasts.

        Raises:
            Overloaded: as many come in as may at the same time.
        """
        if self._open.total() >= MOST_AT_ONCE or self._open[tenant] >= MOST_OF_A_TENANT:
            raise Overloaded(
                f"{self._open[tenant]:,} files come in at the same time; nothing was kept, send it "
                f"again in {_LATER_SECONDS:g} s",
                _LATER_SECONDS,
                "too_many_uploads",
            )
        coming = Coming(self._coming, tenant, kept, self._most)
        self._open[tenant] += 1
        try:
            yield coming
        finally:
            self._coming[tenant] -= coming.size
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant], self._coming[tenant]


class Coming:
    """What comes of one file."""

    def __init__(self, coming: Counter[str], tenant: str, kept: int, most: int) -> None:
        self.size = 0
        self._coming = coming
        self._tenant = tenant
        self._kept = kept
        self._most = most

    def add(self, count: int) -> None:
        """Count ``count`` bytes more.

        Raises:
            InvalidInput: the tenant would keep more than it may.
        """
        self.size += count
        self._coming[self._tenant] += count
        if self._most and self._kept + self._coming[self._tenant] > self._most:
            raise files_full(self._kept, self._most)


class Incoming:
    """A draft that a body is written to, and whether there is room for it."""

    def __init__(self, draft: Draft, disk: Disk, coming: Coming) -> None:
        self.draft = draft
        self._disk = disk
        self._coming = coming
        self._block = bytearray()

    async def write(self, data: bytes) -> None:
        """Take bytes; they are written when a block is full.

        Raises:
            InvalidInput: the tenant would keep more than it may.
            StorageUnavailable: the disk is full or failed.
        """
        self._coming.add(len(data))
        self._block += data
        if len(self._block) >= _BLOCK:
            await self.flush()

    async def flush(self) -> None:
        """Write what was gathered.

        Raises:
            StorageUnavailable: the disk is full or failed.
        """
        block, self._block = self._block, bytearray()
        await self._disk.run(self.draft.write, block)


class Turns:
    """Lets one at a time do what is long and need not be done twice. Lives on one event loop."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else is in such a block for ``name``."""
        lock = self._locks.get(name) or self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            yield


class Intake:
    """Opens drafts for what comes in."""

    def __init__(self, storage: FileStorage, disk: Disk, room: Room) -> None:
        self._storage = storage
        self._disk = disk
        self._room = room

    @asynccontextmanager
    async def incoming(self, tenant: str) -> AsyncIterator[Incoming]:
        """A draft for the block; nothing of it is left after it, unless it was published.

        Raises:
            InvalidInput: the tenant keeps as much as it may.
            Overloaded: as many files come in as may at the same time.
            StorageUnavailable: the folder cannot be written.
        """
        kept = await self._room.kept(tenant)
        with self._room.coming(tenant, kept) as coming:
            coming.add(0)
            draft = await self._disk.run(self._storage.draft)
            try:
                yield Incoming(draft, self._disk, coming)
            finally:
                await self._disk.surely(draft.close)
