"""kombu's poller, with what a channel does at each tick."""

from __future__ import annotations

from queue import Empty
from time import monotonic
from typing import Any, Final, Protocol

from kombu.transport.redis import MultiChannelPoller

_LOOK_SECONDS: Final = 0.5


class Watch(Protocol):
    """Whoever wants to know whether the broker answers."""

    def answered(self) -> None:
        """Take note of an answer to a consumer's question."""
        ...

    def owes_nothing(self) -> None:
        """Take note that no consumer has room, so that nothing is asked."""
        ...


class Poller(MultiChannelPoller):  # type: ignore[misc] # kombu has no types
    """Ticks its channels before they wait, and never waits longer than their watch."""

    in_event_loop = False
    watch: Watch | None = None
    """Told what the broker does; costs nothing a message."""
    _look_at = 0.0

    def on_poll_start(self) -> None:
        """Run by the event loop at each tick, or by ``drain_events`` before it waits."""
        for channel in list(self._channels):
            channel.tick()
        super().on_poll_start()
        if self.watch is not None and monotonic() >= self._look_at:
            self._look_at = monotonic() + _LOOK_SECONDS
            if not any(self._asks(channel) for channel in self._channels):
                self.watch.owes_nothing()

    def on_readable(self, fileno: int) -> None:
        """Run by the event loop when a connection can be read."""
        channel, kind = self._fd_to_chan.get(fileno, (None, None))
        answers = self.watch if kind == "BRPOP" and self._asks(channel) else None
        try:
            super().on_readable(fileno)
        except Empty:  # and said so
            if answers is not None:
                answers.answered()
            raise
        if answers is not None:
            answers.answered()

    @staticmethod
    def _asks(channel: Any) -> bool:
        return bool(channel.active_queues) and channel.qos.can_consume()

    def get(self, callback: Any, timeout: float | None = None) -> Any:
        """Wait for one fetch without an event loop, a second at most."""
        return super().get(callback, 1.0 if timeout is None else min(timeout, 1.0))
