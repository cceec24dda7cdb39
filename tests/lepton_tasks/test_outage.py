"""Loops wait out what time may heal, and nothing else."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import ProgrammingError

from lepton_tasks.errors import BrokerUnavailable, StoreUnavailable
from lepton_tasks.outage import Outage, sleep_until


def test_a_row_of_failures_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("loop")
    for _ in range(3):
        outage.failed(StoreUnavailable("the database is away"))
    outage.over()
    outage.over()
    assert [record.getMessage() for record in caplog.records] == [
        "loop: the database is away; trying again",
        "loop: working again",
    ]


def test_parameters_of_statements_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    Outage("loop").failed(ProgrammingError("INSERT …", {"payload": "机密"}, Exception("no table")))
    assert "ProgrammingError" in caplog.text
    assert "机密" not in caplog.text


def test_a_round_says_when_the_next_is_unless_it_fails_for_now() -> None:
    outcomes: list[float | Exception] = [
        7.0,
        BrokerUnavailable("away"),
        StoreUnavailable("away"),
        8.0,
        BrokerUnavailable("away"),
    ]

    def work() -> float:
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def work_async() -> float:
        return work()

    outage, left = Outage("loop"), iter(outcomes)
    assert [outage.attempt(work) for _ in outcomes] == [7.0, 0.25, 0.5, 8.0, 0.25]
    outage, left = Outage("loop"), iter(outcomes)
    waits = [asyncio.run(outage.attempt_async(work_async)) for _ in outcomes]
    assert waits == [7.0, 0.25, 0.5, 8.0, 0.25]


def test_a_mistake_is_not_waited_out() -> None:
    def wrong() -> float:
        raise KeyError("x")

    async def wrong_too() -> float:
        return wrong()

    with pytest.raises(KeyError):
        Outage("loop").attempt(wrong)
    with pytest.raises(KeyError):
        asyncio.run(Outage("loop").attempt_async(wrong_too))


def test_a_sleeper_wakes_by_the_event_or_by_the_time() -> None:
    async def sleep() -> None:
        event = asyncio.Event()
        await sleep_until(event, 0.001)
        asyncio.get_running_loop().call_soon(event.set)
        await sleep_until(event, 3_600)

    asyncio.run(asyncio.wait_for(sleep(), 60))
