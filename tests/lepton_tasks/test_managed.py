"""Blocks end what they hold, whatever is raised inside."""

from __future__ import annotations

import asyncio

import pytest

from lepton_tasks.managed import AsyncClosing, Closing, Running


class Closed(Closing):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def close(self) -> None:
        self.calls.append("close")


class Ran(Running):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


@pytest.mark.parametrize(("managed", "calls"), [(Closed(), ["close"]), (Ran(), ["start", "stop"])])
def test_a_block_ends_what_it_holds(managed: Closed | Ran, calls: list[str]) -> None:
    with pytest.raises(ValueError, match="inside"), managed as same:
        assert same is managed
        raise ValueError("inside")
    assert managed.calls == calls


class ClosedLater(AsyncClosing):
    def __init__(self) -> None:
        self.calls: list[str] = []

    async def aclose(self) -> None:
        self.calls.append("aclose")


def test_a_block_of_an_event_loop_ends_what_it_holds() -> None:
    managed = ClosedLater()

    async def block() -> None:
        async with managed as same:
            assert same is managed
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        asyncio.run(block())
    assert managed.calls == ["aclose"]
