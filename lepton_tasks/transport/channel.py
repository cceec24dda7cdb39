"""The channel: fetches many messages in one script, which registers them as it pops.

Nothing is popped outside that script, not even to wait (``waiting.py``), so a consumer
that dies at any moment loses nothing.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import redis
from kombu.utils.encoding import bytes_to_str

from lepton_tasks.errors import ConfigError
from lepton_tasks.transport.message import Message, Unreadable, decode, readable
from lepton_tasks.transport.qos import QoS
from lepton_tasks.transport.quarantine import QUARANTINE_KEY, QUARANTINE_LIMIT
from lepton_tasks.transport.scripts import OwnKeys, Scripts, taken_apart
from lepton_tasks.transport.waiting import WaitingChannel
from lepton_tasks.transport.watched import NO_LIMITS, Watched

logger = logging.getLogger(__name__)

OWN_OPTIONS = ("fetch_limit", "max_message_bytes", "quarantine_limit")
"""Transport options beside kombu's."""


class Channel(WaitingChannel):
    """A channel to one Redis server."""

    from_transport_options = (*WaitingChannel.from_transport_options, *OWN_OPTIONS)
    QoS = QoS
    Message = Message

    max_message_bytes = 16 * 1024 * 1024
    """A longer message is quarantined unread (transport option)."""
    quarantine_limit = QUARANTINE_LIMIT
    """Most messages in quarantine (transport option)."""
    _turn = 0

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        if not connection.client.transport_options.get("ack_emulation", True):
            raise ConfigError("this transport has no ack_emulation=False; remove the option")
        self._without_ack: set[str] = set()
        super().__init__(connection, **kwargs)

    # What the consumer and the QoS use.

    @cached_property
    def plain(self) -> redis.Redis:
        """A client that adds no prefix; usable after the channel is closed."""
        return redis.Redis(connection_pool=self.pool)

    @cached_property
    def scripts(self) -> Scripts:
        """The scripts, on :attr:`plain`."""
        return Scripts(self.plain)

    @cached_property
    def own_keys(self) -> OwnKeys:
        """The keys of what is fetched and of the quarantine."""
        prefix = self.global_keyprefix
        return OwnKeys(
            unacked=prefix + self.unacked_key,
            index=prefix + self.unacked_index_key,
            quarantine=prefix + QUARANTINE_KEY,
        )

    def flushes_at_tick(self) -> bool:
        """Whether acknowledgements may wait for :meth:`tick`."""
        return not self.closed and self.connection.cycle.in_event_loop

    def tick(self) -> None:
        """Send what was acknowledged, and look at the lists again where it is time."""
        if self._qos is not None:
            self._qos.flush_acks()
        super().tick()

    def quarantine(self, delivery_tag: str, reason: str) -> None:
        """Set a delivered message aside with a reason that quotes nothing of it.

        A broadcast, and a message that another consumer has got meanwhile, is dropped.
        """
        entry: Any = self.plain.hget(self.own_keys.unacked, delivery_tag)
        if entry is None:
            logger.warning("dropped a message: %s", reason)
        else:
            self.set_aside_entry(delivery_tag, reason, entry)
        self.qos._quick_ack(delivery_tag)

    def set_aside_entry(self, tag: Any, reason: str, entry: bytes) -> None:
        """Move a registered message into quarantine; ``entry`` is its unacked entry."""
        raw, queue = taken_apart(entry)
        self.set_aside(tag, queue, reason, raw)

    def set_aside(self, tag: Any, queue: str, reason: str, raw: Any) -> None:
        """Move a registered message into quarantine; ``raw`` is its text."""
        keys = self.own_keys
        logger.error("quarantined a message of queue %.80r: %s", queue, reason)
        self.scripts.set_aside(
            keys=[keys.unacked, keys.index, keys.quarantine],
            args=[tag, self.quarantine_limit, queue, reason, raw],
        )

    # What kombu calls.

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume; without acknowledgements a message is acknowledged when delivered."""
        (self._without_ack.add if no_ack else self._without_ack.discard)(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **options: Any) -> Any:
        """Fetch one message, or None from an empty queue."""
        with self.conn_or_acquire() as client:
            self._maybe_update_queues_expire(client, queue)
        for _, tag, raw in self._fetch(self.watch([queue]), 1, None):
            self.qos.hold([tag])
            try:
                message = self.Message(decode(raw, tag), channel=self)
            except Unreadable as error:
                self._refuse(tag, queue, error, raw)
                return None
            self.qos.append(message, tag)
            if no_ack:
                self.qos.ack(tag)
            return message
        return None

    def close(self) -> None:
        """Send the acknowledgements that wait, restore the rest, close the connections."""
        if self.closed:
            return
        if self._qos is not None:
            try:
                self._qos.flush_acks()
            except (redis.RedisError, OSError) as error:
                logger.warning("acknowledgements were not sent: %s", error)
        try:
            super().close()
        finally:
            if "plain" in self.__dict__:
                self.plain.connection_pool.disconnect()

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Acknowledge; after the channel is closed as well, over a connection of its own."""
        super().basic_ack(delivery_tag, multiple)
        if self.closed:
            self.plain.connection_pool.disconnect()

    def _handle_message(self, client: Any, r: Any) -> Any:
        payload = super()._handle_message(client, r)
        if bytes_to_str(payload["type"]).endswith("message") and not readable(payload["data"]):
            # kombu would quote it in the log, or end the worker if it is nested too deep.
            logger.warning("dropped a broadcast: not JSON")
            payload["type"] = b"unreadable"
        return payload

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        try:
            return super()._deliver_fanout_message(message, exchange)
        except Unreadable as error:
            logger.warning("dropped a broadcast on %.80r: %s", exchange, error)
            return False

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        self.qos.restore_by_tag(message.delivery_tag, leftmost=leftmost)

    # Fetching.

    def fetch_from(
        self,
        watched: Watched,
        room: int,
        lengths: Sequence[int] | None,
        allowances: Mapping[str, int],
    ) -> bool:
        """Fetch and deliver; queues share ``room`` by weight where ``lengths`` are known."""
        fetched = self._fetch(watched, room, lengths, allowances)
        self._deliver_all(fetched)
        return bool(fetched)

    def _fetch(
        self,
        watched: Watched,
        room: int,
        lengths: Sequence[int] | None,
        allowances: Mapping[str, int] = NO_LIMITS,
    ) -> list[tuple[str, str, bytes]]:
        """Queue, delivery tag and raw bytes of up to ``room`` messages, registered."""
        quotas = [0] * len(watched.lists)
        if lengths is not None:
            self._turn += 1
            quotas = watched.quotas(lengths, room, self._turn, allowances)
        keys = self.own_keys
        arguments: list[Any] = [room, self.quarantine_limit, self.max_message_bytes]
        for place, quota in enumerate(quotas):
            more = int(not allowances or watched.task_of(place) not in allowances)
            arguments += [quota, more, watched.queue_of(place)]
        try:
            found = self.scripts.fetch(
                keys=[keys.unacked, keys.index, keys.quarantine, *watched.lists], args=arguments
            )
        except redis.ReadOnlyError as error:
            # After a failover; a new connection finds the new master.
            raise redis.ConnectionError(str(error)) from error
        return [
            (watched.queue_of(number - 1), tag.decode(), raw)
            for number, tag, raw in zip(found[::3], found[1::3], found[2::3], strict=True)
        ]

    def _deliver_all(self, fetched: Sequence[tuple[str, str, bytes]]) -> None:
        waiting = deque(fetched)
        self.qos.hold([tag for _, tag, _ in fetched])
        while waiting and not self.closed:
            queue, tag, raw = waiting.popleft()
            if queue not in self.connection._callbacks:
                self.qos.restore_fetched([tag])
                continue
            try:
                self.connection._deliver(decode(raw, tag), queue)
            except Unreadable as error:
                self._refuse(tag, queue, error, raw)
            except BaseException:
                if waiting and not self.closed:
                    self.qos.restore_fetched([tag for _, tag, _ in waiting])
                raise
            else:
                if queue in self._without_ack:
                    self.qos.ack(tag)

    def _refuse(self, tag: str, queue: str, error: Unreadable, raw: bytes) -> None:
        self.set_aside(tag, queue, str(error), raw)
        self.qos._quick_ack(tag)
