"""Acknowledging and restoring, on a real Redis and on kombu's event loop."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
import redis
from kombu import Connection

from lepton_tasks.transport.quarantine import Quarantine
from tests.support.consuming import KEYS, bulk, publish, receiving, run_loop

UNACKED, INDEX = KEYS["unacked_key"], KEYS["unacked_index_key"]


def calls(client: redis.Redis, command: str) -> int:
    return int(client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"])


def fetched_earlier(client: redis.Redis, seconds: float) -> None:
    index: Any = client.zrange(INDEX, 0, -1, withscores=True)
    client.zadd(INDEX, {tag: score - seconds for tag, score in index})


def test_acknowledgements_of_a_tick_go_out_together(
    loop_connection: Connection, client: redis.Redis
) -> None:
    publish(loop_connection, "q", *range(500))
    client.config_resetstat()
    with receiving(loop_connection, "q") as received:
        run_loop(
            loop_connection.hub,
            lambda: len(received.bodies) == 500 and not client.exists(UNACKED, INDEX),
        )
    assert received.bodies == list(range(500))
    assert calls(client, "hdel") <= 10
    assert calls(client, "evalsha") <= 15


def test_acknowledgements_are_flushed_before_the_channel_closes(
    loop_connection: Connection, client: redis.Redis
) -> None:
    publish(loop_connection, "q", *range(10))
    with receiving(loop_connection, "q", ack=False) as received:
        run_loop(loop_connection.hub, lambda: len(received.bodies) == 10)
        for message in received.messages[:7]:
            message.ack()
        assert client.hlen(UNACKED) == 10
    assert client.hlen(UNACKED) == 0
    assert client.llen("q") == 3


def test_an_idle_loop_wakes_for_a_message_and_for_one_that_came_while_it_had_no_room(
    loop_connection: Connection, client: redis.Redis
) -> None:
    room = 0
    with receiving(loop_connection, "q") as received:
        received.channel.fetch_room = lambda: room
        start = time.monotonic()
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 1.2)
        publish(loop_connection, "q", 1)
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 1.5)
        assert received.bodies == []
        room = 1
        run_loop(loop_connection.hub, lambda: received.bodies == [1])
        publish(loop_connection, "q", 2)
        run_loop(loop_connection.hub, lambda: received.bodies == [1, 2])


def test_messages_that_come_while_there_is_no_room_cost_no_reconnect(
    loop_connection: Connection, client: redis.Redis
) -> None:
    taken = 1

    def room() -> int:
        return taken - len(received.bodies)

    with receiving(loop_connection, "q") as received:
        received.channel.fetch_room = room
        publish(loop_connection, "q", 0)
        run_loop(loop_connection.hub, lambda: room() == 0)
        opened = client.info("stats")["total_connections_received"]
        for _ in range(10):
            publish(loop_connection, "q", 1, 2)
            next(loop_connection.hub.loop)
            taken += 1
            run_loop(loop_connection.hub, lambda: room() == 0)
        assert client.llen("q") == 10
        assert client.info("stats")["total_connections_received"] == opened


def test_failed_acknowledgements_are_kept_for_the_next_flush(
    loop_connection: Connection, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(loop_connection, "q", 1, 2)
    with receiving(loop_connection, "q", ack=False) as received:
        run_loop(loop_connection.hub, lambda: len(received.bodies) == 2)
        for message in received.messages:
            message.ack()
        client.rename(UNACKED, "elsewhere")
        client.set(UNACKED, "not a hash")
        with pytest.raises(redis.ResponseError):
            received.channel.qos.flush_acks()
        client.rename("elsewhere", UNACKED)
    assert not client.exists(UNACKED, INDEX, "q")


def test_a_closed_channel_restores_in_order_what_was_not_acknowledged(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection:
        publish(connection, "q", *range(30))
        with receiving(connection, "q", ack=False, prefetch=20) as received:
            received.until_count(20)
            received.messages[4].ack()
        assert not client.exists(UNACKED, INDEX)
        with receiving(connection, "q") as again:
            again.until_count(29)
    assert again.bodies == [n for n in range(30) if n != 4]


def test_a_message_can_be_acknowledged_after_its_channel_is_gone(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection:
        publish(connection, "q", 1, 2)
        with receiving(connection, "q", ack=False) as received:
            received.until_count(2)
            received.channel.do_restore = False
    assert client.hlen(UNACKED) == 2
    for message in received.messages:
        message.ack()
    assert client.keys() == []


def test_requeue_puts_a_message_last_and_reject_sets_it_aside(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection:
        publish(connection, "q", "again", "never", "last")
        with receiving(connection, "q", ack=False) as received:
            received.until_count(3)
            again, never, last = received.messages
            last.ack()
            never.reject()
            again.requeue()
            received.until_count(4)
            assert received.bodies[3] == "again"
            received.messages[3].ack()
    [kept] = Quarantine(client).messages()
    assert (kept.queue, kept.reason) == ("q", "rejected by the consumer")
    assert client.keys() == [b"lepton:quarantine"]
    Quarantine(client).requeue(kept.id)
    with bulk(redis_url) as connection, receiving(connection, "q") as received:
        received.until(lambda: received.bodies == ["never"])


def test_overdue_by_the_clock_of_redis_whatever_the_workers_clock(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour_ahead = time.time() + 3600
    monkeypatch.setattr("time.time", lambda: hour_ahead)
    monkeypatch.setattr("kombu.transport.redis.time", lambda: hour_ahead)
    with bulk(redis_url, visibility_timeout=60) as connection:
        publish(connection, "q", *range(5))
        with receiving(connection, "q", ack=False) as received:
            received.until_count(5)
            received.channel.qos.restore_visible(interval=1)
            assert client.hlen(UNACKED) == 5
            fetched_earlier(client, 61)
            received.channel.qos.restore_visible(interval=1)
            assert client.hlen(UNACKED) == 0
            assert client.llen("q") == 5


def test_a_sweep_survives_entries_it_cannot_read(redis_url: str, client: redis.Redis) -> None:
    with bulk(redis_url, visibility_timeout=1) as connection:
        publish(connection, "q", "good")
        with receiving(connection, "q", ack=False) as received:
            received.until_count(1)
            [good] = cast("Any", client.hkeys(UNACKED))
            entries: dict[Any, Any] = {
                b"junk": b"\xff",
                b"shape": b"[1]",
                b"nowhere": b'[{"properties": {}}, "", ""]',
            }
            client.hset(UNACKED, mapping=entries)
            client.zadd(INDEX, dict.fromkeys((*entries, b"index-only", good), 1))
            received.channel.qos.restore_visible(interval=1)
    assert client.llen("q") == 1
    assert {message.raw for message in Quarantine(client).messages()} == set(entries.values())
    assert not client.exists(UNACKED, INDEX)


def test_a_sweep_of_many_keeps_their_order(redis_url: str, client: redis.Redis) -> None:
    total = 1200
    with bulk(redis_url, visibility_timeout=1) as connection:
        publish(connection, "q", *range(total))
        with receiving(connection, "q", ack=False) as received:
            received.until_count(total)
            fetched_earlier(client, 10)
            received.channel.qos.restore_visible(interval=1)
        with receiving(connection, "q") as again:
            again.until_count(total)
    assert again.bodies == list(range(total))
