"""What comes in is written in blocks, counted for its tenant, and gone where it is not kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import file_intake
from api.disk import Disk
from api.file_intake import Intake, Room, Turns
from lepton_tasks.errors import InvalidInput, Overloaded
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store, open_store

BLOCK = 1 << 18


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    yield store
    store.close()


def intake(store: Store, folder: Path, most: int = 0) -> Intake:
    return Intake(FileStorage(folder), Disk(), Room(store.files, most))


def left(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_blocks_are_written_and_the_rest_when_asked(store: Store, tmp_path: Path) -> None:
    async def take() -> None:
        async with intake(store, tmp_path / "files").incoming("acme") as incoming:
            await incoming.write(b"x" * (BLOCK - 1))
            assert incoming.draft.size == 0
            await incoming.write(b"yz")
            assert incoming.draft.size == BLOCK + 1
            await incoming.write(b"end")
            await incoming.flush()
            incoming.draft.publish(file_id)

    file_id = new_id("file")
    asyncio.run(take())
    [path] = left(tmp_path / "files")
    assert path.read_bytes() == b"x" * (BLOCK - 1) + b"yzend"


def test_nothing_is_left_of_what_is_cancelled(store: Store, tmp_path: Path) -> None:
    async def take(begun: asyncio.Event) -> None:
        async with intake(store, tmp_path / "files").incoming("acme") as incoming:
            await incoming.write(b"x" * BLOCK)
            begun.set()
            await asyncio.Event().wait()

    async def hang_up() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(take(begun))
        await begun.wait()
        assert len(left(tmp_path / "files")) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(hang_up())
    assert left(tmp_path / "files") == []


def test_what_comes_at_once_counts_together(store: Store, tmp_path: Path) -> None:
    store.files.create("acme", new_id("file"), "batch", "a", 40)
    store.files.create("other", new_id("file"), "batch", "a", 1_000)

    async def take() -> None:
        desk = intake(store, tmp_path / "files", most=100)
        async with desk.incoming("acme") as first:
            await first.write(b"x" * 50)
            async with desk.incoming("acme") as second:
                with pytest.raises(InvalidInput, match="LEPTON_TENANT_FILE_BYTES"):
                    await second.write(b"x" * 11)
            await first.write(b"x" * 10)
        async with desk.incoming("acme") as third:
            await third.write(b"x" * 60)
        with pytest.raises(InvalidInput, match="LEPTON_TENANT_FILE_BYTES"):
            async with desk.incoming("other"):
                raise AssertionError("it keeps more than it may")

    asyncio.run(take())
    assert left(tmp_path / "files") == []


def test_one_at_a_time_by_name() -> None:
    turns = Turns()
    seen: list[str] = []

    async def work(name: str) -> None:
        async with turns.turn(name):
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")

    async def all_of_them() -> None:
        await asyncio.gather(work("a"), work("a"), work("b"))

    asyncio.run(all_of_them())
    mine = [event for event in seen if event.startswith("a")]
    assert mine == ["a begins", "a ends"] * 2
    assert seen.index("b begins") < seen.index("a ends")


def test_only_so_many_come_in_at_the_same_time(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_intake, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(file_intake, "MOST_OF_A_TENANT", 2)

    async def take() -> None:
        desk = intake(store, tmp_path / "files")

        async def refused(tenant: str) -> None:
            with pytest.raises(Overloaded) as error:
                async with desk.incoming(tenant):
                    raise AssertionError("one too many was let in")
            assert error.value.code == "too_many_uploads"

        async with desk.incoming("acme"), desk.incoming("acme"):
            await refused("acme")
            async with desk.incoming("other"):
                await refused("third")
            async with desk.incoming("third"):
                pass
        async with desk.incoming("acme"), desk.incoming("acme"):
            pass

    asyncio.run(take())
