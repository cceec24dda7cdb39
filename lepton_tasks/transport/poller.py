"""kombu's poller, with what a channel does at each tick."""

from __future__ import annotations

from typing import Any

from kombu.transport.redis import MultiChannelPoller


class Poller(MultiChannelPoller):  # type: ignore[misc] # kombu has no types
    """Ticks its channels before they wait, and never waits longer than their watch."""

    in_event_loop = False

    def on_poll_start(self) -> None:
        """Run by the event loop at each tick, or by ``drain_events`` before it waits."""
        for channel in list(self._channels):
            channel.tick()
        super().on_poll_start()

    def get(self, callback: Any, timeout: float | None = None) -> Any:
        """Wait for one fetch without an event loop, a second at most."""
        return super().get(callback, 1.0 if timeout is None else min(timeout, 1.0))
