"""The channel: waits without popping, fetches many messages in one script.

kombu waits in a BRPOP, which pops a message before anyone has registered it: a
consumer that dies then, or a link that is dead, loses it. Here nothing is popped
outside the script that also registers. To wait, the connection that kombu uses for
BRPOP asks for the length of every list under ``CLIENT TRACKING``: where all are empty,
Redis itself tells this connection when one of them changes (RESP3, since Redis 6.0),
whoever pushed. The lengths also give each queue its quota. The question is repeated
after ``brpop_timeout``, so that kombu's check of half-open connections holds as well.

An idle consumer thus needs the news and one script for a message, where kombu needs
the BRPOP and a MULTI to register it; under load it is one question and one script for
up to ``fetch_limit`` messages. The alternatives were worse: BLMOVE waits on one list
only, keyspace notifications need the server's configuration changed, and BRPOP
followed by the script measured no faster and keeps the gap.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property
from queue import Empty
from time import monotonic
from typing import Any

import redis
from kombu.transport.redis import Channel as StockChannel
from kombu.utils.encoding import bytes_to_str

from lepton_tasks.errors import BrokerUnavailable, ConfigError
from lepton_tasks.queues import split_queue_name
from lepton_tasks.transport.message import Message, Unreadable, decode, readable
from lepton_tasks.transport.qos import QoS
from lepton_tasks.transport.quarantine import QUARANTINE_KEY, QUARANTINE_LIMIT
from lepton_tasks.transport.scripts import OwnKeys, Scripts, taken_apart
from lepton_tasks.transport.watched import Watched

logger = logging.getLogger(__name__)

OWN_OPTIONS = ("fetch_limit", "max_message_bytes", "quarantine_limit")
"""Transport options beside kombu's."""


class Channel(StockChannel):  # type: ignore[misc] # kombu has no types
    """A channel to one Redis server."""

    from_transport_options = (*StockChannel.from_transport_options, *OWN_OPTIONS)
    QoS = QoS
    Message = Message

    fetch_limit = 128
    """Most messages of one fetch (transport option)."""
    max_message_bytes = 16 * 1024 * 1024
    """A longer message is quarantined unread (transport option)."""
    quarantine_limit = QUARANTINE_LIMIT
    """Most messages in quarantine (transport option)."""
    fetch_room: Callable[[], int] | None = None
    """How many messages the consumer has room for, asked before each fetch; None: no bound."""
    fetch_urgent_room: Callable[[], int] | None = None
    """How many of the most urgent queues it takes although there is no room; None: none."""

    _in_poll: Any = False
    _watched = Watched()
    _urgent = Watched()
    _asked = Watched()
    _asked_of = Watched()
    _unread = 0
    _changed = False
    _fetched = False
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

    def list_key(self, queue: str, priority: int) -> str:
        """Redis key of a queue's list for a kombu priority, prefix included."""
        return f"{self.global_keyprefix}{self._q_for_pri(queue, priority)}"

    def room(self) -> int:
        """How many messages may be fetched now."""
        credit = self.qos.can_consume_max_estimate()
        room = self.fetch_limit if credit is None else min(self.fetch_limit, credit)
        return room if self.fetch_room is None else min(room, self.fetch_room())

    def urgent_room(self) -> int:
        """How many messages of the most urgent queues may be fetched now."""
        if self.fetch_urgent_room is None or not self._urgent.lists:
            return 0
        credit = self.qos.can_consume_max_estimate()
        room = min(self.fetch_limit, self.fetch_urgent_room())
        return room if credit is None else min(room, credit)

    def flushes_at_tick(self) -> bool:
        """Whether acknowledgements may wait for :meth:`tick`."""
        return not self.closed and self.connection.cycle.in_event_loop

    def tick(self) -> None:
        """Send what was acknowledged, and look at the lists again where it is time."""
        if self._qos is not None:
            self._qos.flush_acks()
        if not self._in_poll or self._unread:
            return
        if not self.qos.can_consume():
            # Nothing is asked meanwhile, so no answer is overdue.
            self._brpop_sent_at = monotonic()
        elif (
            self._fetched
            or monotonic() - self._brpop_sent_at >= self.brpop_timeout
            or (self._asked is not self._watched and self.room() > 0)
        ):
            # The poller asks anew. Until then the connection counts as polled even
            # where there is no room: kombu drops one that speaks unasked.
            self._in_poll = None
            self._flush_brpop_reauth()

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
        for _, tag, raw in self._fetch(self._watch([queue]), 1, None):
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

    def _update_queue_cycle(self) -> None:
        super()._update_queue_cycle()
        self._watched = self._watch(self.active_queues)
        self._urgent = self._watched.urgent

    def _connparams(self, asynchronous: bool = False) -> Any:
        params = super()._connparams(asynchronous)
        if asynchronous:
            params["protocol"] = 3
        return params

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not self._watched.lists:
            return
        # Lists that nothing may be fetched from would only wake this consumer again and again.
        self._asked = self._watched if self.room() > 0 else self._urgent
        self._asked_of = self._watched
        connection = self.client.connection
        self._in_poll = connection
        self._brpop_sent_at = monotonic()
        self._changed = self._fetched = False
        connection._parser.set_invalidation_push_handler(self._on_invalidation)
        commands = [("CLIENT", "TRACKING", "ON"), *(("LLEN", key) for key in self._asked.lists)]
        # No PING first: its reply would be awaited here, on a link that may be dead.
        connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        self._unread = len(commands)

    def _brpop_read(self, **_: Any) -> bool:
        if self._closing:
            self._in_poll = None
            raise Empty
        try:
            lengths = self._read_lengths()
        except self.connection_errors:
            self.client.connection.disconnect()
            raise
        if not (self._changed or any(lengths or ())):
            raise Empty  # Redis will tell
        self._fetched = True
        watched, room = self._watched, self.room()
        if room <= 0:
            watched, room = self._urgent, self.urgent_room()
        if room <= 0:
            raise Empty
        if self._watched is not self._asked_of or len(lengths or ()) < len(watched.lists):
            lengths = None
        fetched = self._fetch(watched, room, lengths and lengths[: len(watched.lists)])
        if not fetched:
            raise Empty
        self._deliver_all(fetched)
        return True

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

    # Waiting and fetching.

    def _watch(self, queues: Sequence[str]) -> Watched:
        queues = sorted(queues, key=lambda queue: split_queue_name(queue)[1].rank)
        steps = self.priority_steps
        lists = [self.list_key(queue, step) for queue in queues for step in steps]
        return Watched(tuple(queues), tuple(lists), len(steps))

    def _on_invalidation(self, _: Any) -> None:
        self._changed = True

    def _read_lengths(self) -> list[int] | None:
        """Read what has come: the lengths where they were asked for, else news of a change."""
        connection = self.client.connection
        if not self._unread:
            connection.read_response(push_request=True)
            self._read_more_news()
            return None
        replies: list[Any] = []
        for _ in range(self._unread):
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                replies.append(error)
        self._unread = 0
        tracking, *lengths = replies
        if isinstance(tracking, redis.ResponseError):
            raise BrokerUnavailable(
                f"Redis refuses CLIENT TRACKING: {tracking}. Use Redis 6.2 or newer, and allow "
                "its user the command (ACL: +client|tracking)"
            )
        # A key that is no list is left alone, as the script does.
        lengths = [0 if isinstance(length, redis.ResponseError) else length for length in lengths]
        if not any(lengths):
            self._read_more_news()  # the poller does not see what was received with the lengths
        return lengths

    def _read_more_news(self) -> None:
        connection = self.client.connection
        while connection.can_read(timeout=0):
            connection.read_response(push_request=True)

    def _fetch(
        self, watched: Watched, room: int, lengths: Sequence[int] | None
    ) -> list[tuple[str, str, bytes]]:
        """Queue, delivery tag and raw bytes of up to ``room`` messages, registered."""
        quotas = [0] * len(watched.lists)
        if lengths is not None:
            self._turn += 1
            quotas = watched.quotas(lengths, room, self._turn)
        keys = self.own_keys
        arguments: list[Any] = [room, self.quarantine_limit, self.max_message_bytes]
        for place, quota in enumerate(quotas):
            arguments += [quota, watched.queue_of(place)]
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
