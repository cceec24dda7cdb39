"""What may be published at once, by what one process knows of the queues."""

from __future__ import annotations

from lepton_tasks.window import SHARES, Allowance, Window

SHARE = 160 // SHARES


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_short_queue_takes_everybody_up_to_the_feeders_half() -> None:
    window = Window(160)
    assert window.allowance("q") == Allowance(80)
    window.saw({"q": 79, "other": 200})
    assert window.allowance("q") == Allowance(1)


def test_a_longer_one_takes_shares_up_to_the_window() -> None:
    window = Window(160)
    window.saw({"q": 80})
    assert window.allowance("q") == Allowance(80, SHARE)
    window.saw({"q": 159})
    assert window.allowance("q") == Allowance(1, SHARE)
    for length in (160, 10_000):
        window.saw({"q": length})
        assert window.allowance("q").room == 0


def test_what_is_on_the_way_counts() -> None:
    window = Window(160)
    window.sending({"q": 50})
    window.sending({"q": 20})
    assert window.allowance("q") == Allowance(10)
    window.sent({"q": 50}, {"q": 50})
    assert window.allowance("q") == Allowance(10)
    window.sent({"q": 20}, {})  # failed
    assert window.allowance("q") == Allowance(30)


def test_what_is_not_known_is_looked_up_and_a_full_queue_more_often() -> None:
    clock = Clock()
    window = Window(160, clock)
    assert window.unsure(["a", "b"]) == ["a", "b"]
    window.saw({"a": 10, "b": 80})
    assert window.unsure(["a", "b"]) == []
    clock.now += 0.1
    assert window.unsure(["a", "b"]) == ["b"]
    clock.now += 1
    assert window.unsure(["a", "b"]) == ["a", "b"]


def test_without_redis_nothing_is_published_or_asked_until_it_is_found() -> None:
    clock = Clock()
    told: list[float] = []
    window = Window(160, clock, lambda: told.append(clock.now))
    window.saw({"q": 3})
    window.lost()
    assert told == [clock.now]
    clock.now += 100
    assert window.unsure(["q"]) == []
    assert window.allowance("q").room == 0
    window.found()
    assert window.unsure(["q"]) == ["q"]
    window.saw({"q": 0})
    assert window.allowance("q").room == 80
