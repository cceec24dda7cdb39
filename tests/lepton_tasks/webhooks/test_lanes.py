from __future__ import annotations

import asyncio

from lepton_tasks.webhooks.lanes import Lanes


def test_a_lane_is_one_host_however_it_is_written() -> None:
    lanes = Lanes(2)
    lanes.enter("http://a.test/1")
    assert lanes.full() == []
    lanes.enter("HTTPS://A.test:1/2")
    lanes.enter("http://b.test/")
    assert sorted(lanes.full()) == ["HTTPS://A.test:1", "http://a.test"]
    assert lanes.leave("http://a.test/1")
    assert lanes.full() == []
    assert not lanes.leave("HTTPS://A.test:1/2")


def test_leaving_a_lane_that_stays_full_opens_nothing() -> None:
    lanes = Lanes(1)
    lanes.enter("http://a.test/")
    lanes.enter("http://a.test/")
    assert not lanes.leave("http://a.test/")
    assert lanes.full() == ["http://a.test"]
    assert lanes.leave("http://a.test/")
    assert lanes.full() == []


def test_a_host_gets_no_more_turns_than_its_width() -> None:
    async def run() -> int:
        lanes = Lanes(3)
        now, most = 0, 0

        async def deliver() -> None:
            nonlocal now, most
            async with lanes.turn("http://a.test/"):
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1

        for _ in range(10):
            lanes.enter("http://a.test/")
        await asyncio.gather(*(deliver() for _ in range(10)))
        return most

    assert asyncio.run(run()) == 3
