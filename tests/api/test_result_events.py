"""A stream of lines, and how it ends: by done, by an error, or by whoever goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from api import result_events
from api.result_events import ResultEvents
from api.result_watch import ResultWatch
from lepton_tasks.errors import Gone, LeptonError, StorageUnavailable, StoreUnavailable
from lepton_tasks.files.result_lines import ResultLine
from lepton_tasks.files.results import ResultPage
from lepton_tasks.states import BatchState
from lepton_tasks.store.batches import Written


class Nothing:
    def written(self, batch_ids: object) -> dict[str, Written]:
        return {}


def page(*cursors: int, more: bool = False, state: str = "in_progress") -> ResultPage:
    lines = [ResultLine(b'{"n":%d}' % cursor, cursor) for cursor in cursors]
    return ResultPage(lines, cursors[-1] if cursors else 7, more, BatchState(state))


def sent(first: ResultPage, *rest: ResultPage | Exception, gone_after: int | None = None) -> bytes:
    """What a client gets that hangs up after so many messages, or never."""
    left = list(rest)
    body: list[bytes] = []
    gone = asyncio.Event()

    async def stream() -> None:
        watching = ResultWatch(Nothing())

        async def read(cursor: int) -> ResultPage:
            await asyncio.sleep(0)
            found = left.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            body.append(message.get("body", b""))
            if len(body) == gone_after:
                gone.set()
            await asyncio.sleep(0)

        async def wake() -> None:
            while True:
                await asyncio.sleep(0.001)
                for event in set().union(*watching._events.values()):
                    event.set()

        waking = asyncio.create_task(wake())
        events = ResultEvents("batch_1", first, read, watching)
        async with asyncio.timeout(30):
            await events({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
        assert watching._events == {}
        waking.cancel()

    asyncio.run(stream())
    return b"".join(body)


def test_lines_come_with_their_cursors_and_then_done() -> None:
    got = sent(
        page(10, 20, more=True), page(30), page(), page(40, state="completed"), page(state="failed")
    )
    assert got == (
        b"retry: 1000\n\n"
        b'id: 10\ndata: {"n":10}\n\nid: 20\ndata: {"n":20}\n\nid: 30\ndata: {"n":30}\n\n'
        b'id: 40\ndata: {"n":40}\n\n'
        b'id: 40\nevent: done\ndata: {"batch_id":"batch_1","status":"completed","cursor":"40"}\n\n'
    )


def test_an_error_in_the_middle_is_an_event() -> None:
    got = sent(page(10), Gone("the file was deleted"))
    assert got.endswith(
        b'event: error\ndata: {"code":"deleted","message":"the file was deleted"}\n\n'
    )


@pytest.mark.parametrize("kind", [StorageUnavailable, StoreUnavailable])
def test_what_is_wrong_on_our_side_is_no_event(
    kind: type[LeptonError], caplog: pytest.LogCaptureFixture
) -> None:
    got = sent(page(10), kind("/srv/files/2b/file_1 is away"))
    assert got.endswith(b'data: {"n":10}\n\n')
    assert "/srv/files/2b/file_1 is away" in caplog.text


def test_a_silent_batch_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(event: asyncio.Event) -> bool:
        return False

    monkeypatch.setattr(result_events, "_heard", deaf)
    assert sent(page(10), gone_after=6).count(b": waiting\n\n") >= 2


def test_nothing_is_heard_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_events, "HEARTBEAT_SECONDS", 0.001)
    event = asyncio.Event()
    assert not asyncio.run(result_events._heard(event))
    event.set()
    monkeypatch.undo()
    assert asyncio.run(result_events._heard(event))


@pytest.mark.parametrize("pages", [[page(10)], [page(10, more=True), page(20)]])
def test_a_client_that_hangs_up_is_watched_for_no_more(pages: Sequence[ResultPage]) -> None:
    endless = [page(10, more=True)] * 10_000
    got = sent(*pages, *endless, gone_after=len(pages) + 2)
    assert b"done" not in got
