"""The poller ticks its channels before it waits, and never waits longer than a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from kombu.transport.redis import MultiChannelPoller

from lepton_tasks.transport.poller import Poller
from tests.support.consuming import bulk, publish, receiving


class Waits:
    """A poller's inner poller that notes how long it is asked to wait, and does not."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.seconds: list[float | None] = []

    def poll(self, timeout: float | None = None) -> Any:
        self.seconds.append(timeout)
        return self._inner.poll(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, 1.0), (0.25, 0.25), (1.0, 1.0), (3_600.0, 1.0)]
)
def test_without_an_event_loop_it_looks_up_every_second(
    redis_url: str, asked: float | None, waits: float
) -> None:
    with bulk(redis_url) as connection, receiving(connection, "q"):
        cycle = connection.transport.cycle
        assert isinstance(cycle, Poller)
        cycle.poller = noted = Waits(cycle.poller)
        with pytest.raises(Exception) as idle:
            cycle.get(lambda *_: None, asked)
        assert type(idle.value).__name__ == "Empty"
        assert noted.seconds[0] == waits


def test_every_channel_ticks_before_anything_is_asked(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    stock = MultiChannelPoller.on_poll_start

    def on_poll_start(self: Any) -> None:
        steps.append("asked")
        stock(self)

    def tick(name: str, stock_tick: Callable[[], None]) -> None:
        steps.append(name)
        stock_tick()

    monkeypatch.setattr(MultiChannelPoller, "on_poll_start", on_poll_start)
    with (
        bulk(redis_url) as connection,
        receiving(connection, "a") as one,
        receiving(connection, "b") as other,
    ):
        for name, channel in (("one", one.channel), ("other", other.channel)):
            monkeypatch.setattr(channel, "tick", partial(tick, name, channel.tick))
        one.once(0)
        assert sorted(steps[:2]) == ["one", "other"]
        assert steps[2] == "asked"


def test_a_channel_may_close_during_the_ticks(redis_url: str) -> None:
    """A tick that finds its connection broken closes the channel, which leaves the poller."""
    with bulk(redis_url) as connection:
        cycle = connection.transport.cycle
        with receiving(connection, "a") as one, receiving(connection, "b") as other:
            one.channel.tick = one.channel.close
            cycle.on_poll_start()
            assert one.channel not in cycle._channels
            publish(connection, "b", {"text": "好"})
            other.until_count(1)
            assert other.bodies == [{"text": "好"}]
