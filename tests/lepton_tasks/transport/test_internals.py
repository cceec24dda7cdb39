"""What our transport relies on inside kombu and redis-py; a new version that differs fails here.

Each entry was read in kombu 5.7's ``transport/redis.py`` and ``transport/virtual/base.py``.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as stock

HINT = "kombu has changed: read its transport/redis.py against lepton_tasks/transport, then adapt"

SIGNATURES: list[tuple[str, list[str]]] = [
    ("stock.QoS.__init__", ["self", "args", "kwargs"]),
    ("virtual.QoS.__init__", ["self", "channel", "prefetch_count"]),
    ("virtual.QoS.can_consume", ["self"]),
    ("virtual.QoS.can_consume_max_estimate", ["self"]),
    ("virtual.QoS.get", ["self", "delivery_tag"]),
    ("virtual.QoS._flush", ["self"]),
    ("stock.QoS.append", ["self", "message", "delivery_tag"]),
    ("stock.QoS.ack", ["self", "delivery_tag"]),
    ("stock.QoS.reject", ["self", "delivery_tag", "requeue"]),
    ("stock.QoS.restore_by_tag", ["self", "tag", "client", "leftmost"]),
    ("stock.QoS.restore_unacked", ["self", "client"]),
    ("stock.QoS.restore_visible", ["self", "start", "num", "interval"]),
    ("stock.MultiChannelPoller.on_poll_start", ["self"]),
    ("stock.MultiChannelPoller.on_readable", ["self", "fileno"]),
    ("stock.MultiChannelPoller.get", ["self", "callback", "timeout"]),
    ("stock.Channel._brpop_start", ["self", "timeout"]),
    ("stock.Channel._brpop_read", ["self", "options"]),
    ("stock.Channel._connparams", ["self", "asynchronous"]),
    ("stock.Channel._flush_brpop_reauth", ["self"]),
    ("stock.Channel._update_queue_cycle", ["self"]),
    ("stock.Channel._deliver_fanout_message", ["self", "message", "exchange"]),
    ("stock.Channel._maybe_update_queues_expire", ["self", "client", "queue"]),
    ("stock.Channel._q_for_pri", ["self", "queue", "pri"]),
    ("stock.Channel._restore", ["self", "message", "leftmost"]),
    ("stock.Channel.close", ["self"]),
    ("virtual.Channel._lookup", ["self", "exchange", "routing_key", "default"]),
    ("virtual.Channel._get_message_priority", ["self", "message", "reverse"]),
    ("virtual.Channel.basic_ack", ["self", "delivery_tag", "multiple"]),
    ("virtual.Channel.basic_get", ["self", "queue", "no_ack", "kwargs"]),
    (
        "virtual.Channel.basic_consume",
        ["self", "queue", "no_ack", "callback", "consumer_tag", "kwargs"],
    ),
    ("virtual.Transport._deliver", ["self", "message", "queue"]),
    ("virtual.Message.__init__", ["self", "payload", "channel", "kwargs"]),
    ("stock.Transport.register_with_event_loop", ["self", "connection", "loop"]),
    ("stock.SentinelChannel._sentinel_managed_pool", ["self", "asynchronous"]),
]


def inside(path: str) -> Any:
    """What ``path`` leads to in kombu; fails with the hint where it leads to nothing."""
    first, *rest = path.split(".")
    found: Any = {"stock": stock, "virtual": virtual}[first]
    for name in rest:
        assert hasattr(found, name), f"{path} is gone: {HINT}"
        found = getattr(found, name)
    return found


@pytest.mark.parametrize(("path", "parameters"), SIGNATURES)
def test_a_function_that_is_overridden_or_called_keeps_its_parameters(
    path: str, parameters: list[str]
) -> None:
    assert list(inspect.signature(inside(path)).parameters) == parameters, HINT


def test_attributes_of_a_stock_channel(redis_url: str) -> None:
    with Connection(redis_url, transport="kombu.transport.redis:Transport") as connection:
        channel = connection.channel()
        assert channel.handlers == {"BRPOP": channel._brpop_read, "LISTEN": channel._receive}, HINT
        assert channel.connection.cycle._channels >= {channel}, HINT
        assert (channel._in_poll, channel._closing, channel.closed) == (False, False, False), HINT
        assert channel._brpop_sent_at is None, HINT
        assert channel.brpop_timeout == 1, HINT
        assert channel.priority_steps == [0, 3, 6, 9], HINT
        assert channel.sep == "\x06\x16", HINT
        assert channel.active_queues == [], HINT
        assert channel._qos is None, HINT
        qos = channel.qos
        assert (qos._delivered, qos._dirty, qos._vrestore_count) == ({}, set(), 0), HINT
        assert qos._quick_ack == qos._dirty.add, HINT
        qos._quick_append("tag", None)
        assert qos._delivered.pop("tag", "absent") is None, HINT
        assert channel.connection._callbacks == {}, HINT


@pytest.mark.parametrize(
    ("path", "words"),
    [
        # The poller sends and reads through these two, and asks `_in_poll` whether to.
        ("stock.MultiChannelPoller._register_BRPOP", ["if not channel._in_poll", "_brpop_start()"]),
        ("stock.MultiChannelPoller.on_readable", ["chan.handlers[type]()", "chan._in_poll"]),
        ("stock.MultiChannelPoller.maybe_check_brpop_health", ["_brpop_sent_at", "disconnect()"]),
        ("stock.Channel._on_connection_disconnect", ["self._in_poll = None"]),
        ("stock.Channel.close", ["self._closing = True", "self._brpop_read()", "except Empty"]),
        # Stock workers read the entries that our scripts write.
        ("stock.QoS.restore_by_tag", ["M, EX, RK = loads(bytes_to_str(p))"]),
        ("stock.QoS.append", ["dumps([message._raw, EX, RK])"]),
        ("virtual.Channel._lookup", ["if not exchange:", "return [routing_key or default]"]),
        ("virtual.QoS.restore_unacked_once", ["self.channel.do_restore", "self.restore_unacked()"]),
        ("stock.SentinelChannel._sentinel_managed_pool", ["self.connection.client.alt"]),
    ],
)
def test_steps_inside_kombu_that_ours_fit_between(path: str, words: list[str]) -> None:
    source = inspect.getsource(inside(path))
    assert [word for word in words if word not in source] == [], HINT


def test_redis_py_tells_of_invalidations(redis_url: str, client: redis.Redis) -> None:
    told: list[Any] = []
    with redis.Redis.from_url(redis_url, protocol=3) as watcher:
        connection = watcher.connection_pool.get_connection()
        connection._parser.set_invalidation_push_handler(told.append)
        connection.send_packed_command(
            connection.pack_commands([("CLIENT", "TRACKING", "ON"), ("LLEN", "q")])
        )
        assert [connection.read_response() for _ in range(2)] == [b"OK", 0]
        client.lpush("q", "x")
        assert connection.can_read(timeout=10)
        connection.read_response(push_request=True)
        watcher.connection_pool.release(connection)
    assert told == [[b"invalidate", [b"q"]]]


def test_transports_are_found_by_scheme() -> None:
    assert TRANSPORT_ALIASES["redis"] == "kombu.transport.redis:Transport", HINT
