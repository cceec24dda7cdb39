from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton_tasks.webhooks import lanes as module
from lepton_tasks.webhooks.breaker import BreakerLimits
from lepton_tasks.webhooks.lanes import Lane, LaneLimits, Lanes

LIMITS = LaneLimits(width=4, ahead=16, breaker=BreakerLimits(failures=2, pause=5.0))


def open_breaker(lane: Lane, now: float) -> None:
    for _ in range(LIMITS.breaker.failures):
        lane.breaker.ended(well=False, probe=lane.breaker.begin(now), now=now)


def test_a_lane_holds_more_once_it_proves_quick() -> None:
    lanes = Lanes(LIMITS)
    seen = []
    for _ in range(4):
        share = lanes.shares({"a": 0.0}, 100, now=0.0)["a"]
        seen.append(share)
        for _ in range(share):
            lanes.enter("a")
        lanes.claimed("a", filled=True)
        for _ in range(share - 1):
            lanes.leave("a", 0.0)
    assert seen == [4, 7, 14, 13]  # one is left each time; 4, 8, 16 and no more
    lane = lanes.enter("a")
    lane.stuck()
    assert lane.room(0.0) == 0  # five are held, and a slow one holds four


def test_room_comes_in_numbers_and_is_told_once() -> None:
    lanes = Lanes(LIMITS)
    for _ in range(4):
        lanes.enter("a")
    assert lanes.leave("a", 0.0) is False  # nobody was refused
    lanes.enter("a")
    assert lanes.shares({"a": 0.0}, 100, now=0.0) == {}
    assert [lanes.leave("a", 0.0) for _ in range(3)] == [False, True, True]
    assert lanes.shares({"a": 0.0}, 100, now=0.0) == {"a": 3}


def test_an_open_breaker_takes_no_room_and_a_half_open_one_a_single_probe() -> None:
    lanes = Lanes(LIMITS)
    lane = lanes.enter("dead")
    open_breaker(lane, 0.0)
    lanes.leave("dead", 0.0)
    due = {"dead": -60.0, "well": 0.0}
    assert lanes.shares(due, 100, now=4.0) == {"well": 4}
    assert lanes.next_look({"dead": -60.0}, now=4.0) == 1.0
    assert lanes.shares(due, 100, now=5.0) == {"dead": 1, "well": 4}
    probing = lanes.enter("dead")
    assert probing is lane
    assert probing.breaker.begin(5.0)
    assert lanes.shares(due, 100, now=5.0) == {"well": 4}
    assert lanes.next_look({"dead": -60.0}, now=5.0) is None  # its end tells
    probing.breaker.ended(well=True, probe=True, now=6.0)
    assert lanes.leave("dead", 6.0)
    assert lanes.shares(due, 100, now=6.0) == {"dead": 4, "well": 4}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    lanes = Lanes(LIMITS)
    for number in range(6):
        open_breaker(lanes.enter(f"dead {number}"), 0.0)
        lanes.leave(f"dead {number}", 0.0)
    shares = lanes.shares({f"dead {number}": 0.0 for number in range(6)}, 100, now=1.0)
    assert sorted(shares) == ["dead 0", "dead 1", "dead 2"]  # forgotten, so tried again


@given(
    waits=st.dictionaries(st.text(max_size=3), st.floats(-100, 100), max_size=30),
    room=st.integers(0, 200),
)
def test_shares_are_fair_and_within_the_room(waits: dict[str, float], room: int) -> None:
    shares = Lanes(LIMITS).shares(waits, room, now=0.0)
    due = [name for name, wait in waits.items() if wait <= 0]
    assert set(shares) <= set(due)
    assert sum(shares.values()) == min(room, LIMITS.width * len(due))
    assert not shares or max(shares.values()) - min(shares.values()) <= 1
    left_out = [waits[name] for name in due if name not in shares]
    assert all(waits[name] <= min(left_out) for name in shares if left_out)


def test_a_lane_gets_no_more_turns_than_its_width() -> None:
    async def run() -> int:
        lane = Lane(LIMITS)
        now, most = 0, 0

        async def deliver() -> None:
            nonlocal now, most
            async with lane.turn():
                now += 1
                most = max(most, now)
                await asyncio.sleep(0)
                now -= 1

        await asyncio.gather(*(deliver() for _ in range(20)))
        return most

    assert asyncio.run(run()) == LIMITS.width


def test_turns_of_a_limited_lane_are_spread_over_time() -> None:
    async def run() -> list[float]:
        lane, went = Lane(LIMITS), []
        lane.limit(20.0)

        async def deliver() -> None:
            async with lane.turn():
                went.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(deliver() for _ in range(26)))
        return went

    went = asyncio.run(run())
    # Twenty at once, then one in 50 ms; a busy machine may see the first one late.
    assert went[25] - went[0] > 0.1
    limited = Lane(LIMITS)
    limited.limit(0.5)
    assert limited.room(0.0) == 2
