"""Work for the disk goes to threads, and tidying up is done whoever hangs up."""

from __future__ import annotations

import asyncio
import threading

from api.disk import Disk


def test_work_runs_on_another_thread() -> None:
    async def ask() -> int:
        return await Disk().run(threading.get_ident)

    assert asyncio.run(ask()) != threading.get_ident()


def test_long_work_keeps_none_of_the_rest_waiting() -> None:
    async def ask() -> None:
        disk, go = Disk(), threading.Event()
        long = [asyncio.create_task(disk.run_long(go.wait, 30)) for _ in range(20)]
        for _ in range(20):
            await disk.run(threading.get_ident)
        assert not any(one.done() for one in long)
        go.set()
        assert all(await asyncio.gather(*long))

    asyncio.run(ask())


def test_what_tidies_up_is_done_though_the_caller_is_cancelled() -> None:
    done: list[str] = []

    async def work(disk: Disk, begun: asyncio.Event) -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            await disk.surely(done.append, "closed")

    async def cancel() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(work(Disk(), begun))
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert done == ["closed"]
