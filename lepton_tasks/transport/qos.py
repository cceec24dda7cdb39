"""What is fetched and not acknowledged: registered by script, acknowledged in bulk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import redis
from kombu.transport import virtual
from kombu.transport.redis import QoS as StockQoS
from kombu.utils.json import dumps, loads

logger = logging.getLogger(__name__)

_ANY_TIME: Final = "1e18"
_UNUSABLE: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What kombu raises where an entry is not of its making."""
_SWEEP: Final = 500
"""Most overdue messages one round trip restores."""


class QoS(StockQoS):  # type: ignore[misc] # kombu has no types
    """kombu's record of unacknowledged messages, without a round trip a message.

    A message counts as delivered from its fetch on, so that closing the channel
    restores it also where the consumer has not seen it yet.
    """

    def __init__(self, channel: Any, prefetch_count: int = 0) -> None:
        super().__init__(channel, prefetch_count)
        self._acknowledged: deque[str] = deque()

    def can_consume(self) -> bool:
        """Whether the prefetch limit and the consumer's room allow another fetch."""
        return bool(super().can_consume()) and (
            self.channel.room() > 0 or self.channel.urgent_room() > 0
        )

    def hold(self, tags: Iterable[str]) -> None:
        """Record messages that a script has fetched and registered."""
        if self._dirty:
            self._flush()
        for tag in tags:
            self._quick_append(tag, None)

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a delivered message; the script that fetched it has registered it."""
        if delivery_tag not in self._delivered:
            super().append(message, delivery_tag)
        else:
            virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge, at the loop's next tick or, where no loop runs, at once."""
        self._acknowledged.append(delivery_tag)
        self._quick_ack(delivery_tag)
        if not self.channel.flushes_at_tick():
            self.flush_acks()

    def flush_acks(self) -> None:
        """Send the acknowledgements that wait, in one pipeline.

        Raises:
            redis.RedisError: they were not taken; they wait for the next flush.
        """
        tags: list[str] = []
        while self._acknowledged:
            tags.append(self._acknowledged.popleft())
        if not tags:
            return
        keys = self.channel.own_keys
        try:
            with self.channel.plain.pipeline(transaction=False) as pipe:
                pipe.hdel(keys.unacked, *tags)
                pipe.zrem(keys.index, *tags)
                pipe.execute()
        except BaseException:
            self._acknowledged.extendleft(reversed(tags))
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put a message back at the end of its queue, or in quarantine where not wanted."""
        if requeue:
            self._restore_tags([delivery_tag], push="LPUSH")
        else:
            self.channel.quarantine(delivery_tag, "rejected by the consumer")
        self._quick_ack(delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back on its queue: popped next, or last where ``leftmost``."""
        self._restore_tags([tag], push="LPUSH" if leftmost else "RPUSH")

    def restore_fetched(self, tags: Sequence[str]) -> None:
        """Put back fetched messages that were not delivered, given in their order."""
        self._restore_tags(list(reversed(tags)))
        for tag in tags:
            self._quick_ack(tag)

    def restore_unacked(self, client: Any = None) -> None:
        """Put back all that was fetched here, in its order; what cannot be is overdue later."""
        self._flush()
        try:
            self._restore_tags(list(reversed(self._delivered)))
        except (redis.RedisError, OSError) as error:
            logger.warning(
                "%d unacknowledged messages are restored in %.0f seconds only: %s",
                len(self._delivered),
                self.visibility_timeout,
                error,
            )
        self._delivered.clear()

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 10) -> None:
        """Put back what any consumer fetched longer ago than the visibility timeout.

        By Redis's clock, and without a lock that a dying worker could leave behind:
        the script restores each message once, however many workers sweep.
        """
        self._vrestore_count += 1
        if (self._vrestore_count - 1) % (interval or 1):
            return
        keys = self.channel.own_keys
        most = min(num or _SWEEP, _SWEEP)
        while True:
            before, *found = self.channel.scripts.overdue(
                keys=[keys.unacked, keys.index], args=[self.visibility_timeout, most]
            )
            entries = list(zip(found[::2], found[1::2], strict=True))
            self._restore(entries, before, "RPUSH")
            if len(entries) < most or num:
                return

    def _restore_tags(self, tags: Sequence[str], push: str = "RPUSH") -> None:
        for first in range(0, len(tags), _SWEEP):
            some = tags[first : first + _SWEEP]
            found = self.channel.plain.hmget(self.channel.own_keys.unacked, some)
            self._restore(list(zip(some, found, strict=True)), _ANY_TIME, push)

    def _restore(self, entries: Sequence[tuple[Any, bytes | None]], before: Any, push: str) -> None:
        lists: dict[str, int] = {}
        arguments: list[Any] = []
        for tag, entry in entries:
            text, targets = b"", list[str]()
            if entry is not None:
                try:
                    text, targets = self._redelivery(entry)
                except _UNUSABLE as error:
                    reason = f"cannot be restored ({type(error).__name__})"
                    self.channel.set_aside_entry(tag, reason, entry)
                    continue
            numbers = [lists.setdefault(target, len(lists) + 1) for target in targets]
            arguments += [tag, text, len(numbers), *numbers]
        if arguments:
            keys = self.channel.own_keys
            self.channel.scripts.restore(
                keys=[keys.unacked, keys.index, *lists], args=[before, push, *arguments]
            )

    def _redelivery(self, entry: bytes) -> tuple[Any, list[str]]:
        message, exchange, routing_key = loads(entry)
        for part in (message.get("headers"), message["properties"]["delivery_info"]):
            if isinstance(part, dict):
                part["redelivered"] = True
        priority = self.channel._get_message_priority(message)
        queues = self.channel._lookup(exchange, routing_key)
        if not any(queues):
            raise LookupError(routing_key)
        return dumps(message), [self.channel.list_key(queue, priority) for queue in queues]
