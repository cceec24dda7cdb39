"""Work ends with the client that it is for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from api.openai.presence import while_there


async def here() -> dict[str, Any]:
    """A client that stays."""
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


async def leaves() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def test_a_client_that_stays_gets_what_was_done_and_what_failed() -> None:
    async def done() -> str:
        return "好"

    async def failed() -> str:
        raise ValueError("inside")

    assert asyncio.run(while_there(here, done())) == "好"
    with pytest.raises(ValueError, match="inside"):
        asyncio.run(while_there(here, failed()))


def test_the_work_of_a_client_that_leaves_is_cancelled() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(ClientDisconnect):
        asyncio.run(while_there(leaves, work()))
    assert ended == ["cancelled"]


def test_what_comes_before_a_hang_up_is_none() -> None:
    messages = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    with pytest.raises(ClientDisconnect):
        asyncio.run(while_there(receive, asyncio.Event().wait()))
    assert next(messages, None) is None
