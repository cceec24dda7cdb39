"""Waiting on a real Redis: for messages, for room, for news, and over links that die."""

from __future__ import annotations

import time

import redis
from kombu import Connection

from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.consuming import KEYS, bulk, publish, receiving, run_loop, stock
from tests.support.proxy import Proxy

UNACKED, INDEX = KEYS["unacked_key"], KEYS["unacked_index_key"]
BULK, HIGH = "moderation.bulk", "moderation.high"


def test_urgent_messages_pass_and_others_wait_for_room(
    loop_connection: Connection, client: redis.Redis
) -> None:
    room, urgent_room = 3, 8
    with receiving(loop_connection, BULK, HIGH) as received:
        received.channel.fetch_room = lambda: room - received.bodies.count("bulk")
        received.channel.fetch_urgent_room = lambda: urgent_room
        publish(loop_connection, BULK, *["bulk"] * 10)
        run_loop(loop_connection.hub, lambda: received.bodies == ["bulk"] * 3)
        publish(loop_connection, HIGH, "urgent")
        run_loop(loop_connection.hub, lambda: received.bodies[3:] == ["urgent"])
        publish(loop_connection, BULK, "bulk")
        publish(loop_connection, HIGH, "urgent", "urgent")
        run_loop(loop_connection.hub, lambda: received.bodies.count("urgent") == 3)
        assert client.llen(BULK) == 8
        urgent_room = 0
        publish(loop_connection, HIGH, "urgent")
        start = time.monotonic()
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 0.5)
        assert client.llen(HIGH) == 1
        room = 20
        run_loop(loop_connection.hub, lambda: len(received.bodies) == 15)


def test_a_full_consumer_does_not_ask_again_and_again(
    loop_connection: Connection, client: redis.Redis
) -> None:
    with receiving(loop_connection, BULK, HIGH) as received:
        received.channel.fetch_room = lambda: 1 - len(received.bodies)
        received.channel.fetch_urgent_room = lambda: 8
        publish(loop_connection, BULK, *range(50))
        run_loop(loop_connection.hub, lambda: len(received.bodies) == 1)
        start = time.monotonic()
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 0.3)
        asked = client.info("commandstats")["cmdstat_llen"]["calls"]
        for _ in range(50):
            publish(loop_connection, BULK, 0)
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 1.0)
        assert client.info("commandstats")["cmdstat_llen"]["calls"] - asked < 40


def test_a_task_over_its_limit_waits_and_others_go_on(
    loop_connection: Connection, client: redis.Redis
) -> None:
    allowed = {"moderation": 3}
    with receiving(loop_connection, BULK, HIGH, "noop.bulk") as received:

        def count(body: str) -> int:
            return received.bodies.count(body)

        received.channel.fetch_allowances = lambda: {
            task: most - count("limited") for task, most in allowed.items()
        }
        publish(loop_connection, BULK, *["limited"] * 20)
        publish(loop_connection, HIGH, *["limited"] * 20)
        publish(loop_connection, "noop.bulk", *["free"] * 20)
        run_loop(loop_connection.hub, lambda: len(received.bodies) >= 23)
        assert (count("limited"), count("free")) == (3, 20)
        publish(loop_connection, HIGH, "limited")
        publish(loop_connection, "noop.bulk", "free")
        run_loop(loop_connection.hub, lambda: count("free") == 21)
        assert count("limited") == 3
        asked = client.info("commandstats")["cmdstat_llen"]["calls"]
        start = time.monotonic()
        run_loop(loop_connection.hub, lambda: time.monotonic() > start + 0.3)
        lists = len(received.channel._watched.lists)
        assert client.info("commandstats")["cmdstat_llen"]["calls"] - asked < 3 * lists, (
            "what is held back does not keep the loop busy"
        )
        allowed["moderation"] = 13
        run_loop(loop_connection.hub, lambda: count("limited") >= 13)
        assert client.llen(HIGH) + client.llen(BULK) == 41 - 13
        allowed.clear()
        run_loop(loop_connection.hub, lambda: count("limited") == 41)


def test_no_more_is_fetched_than_the_consumer_has_room_for(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection, receiving(connection, "q", ack=False) as received:
        publish(connection, "q", *range(100))
        capacity = 0
        received.channel.fetch_room = lambda: capacity - len(received.bodies)
        received.once()
        assert client.llen("q") == 100
        for capacity in (7, 30, 100):
            received.until_count(capacity)
            received.once()
            assert client.hlen(UNACKED) == len(received.bodies) == capacity
    assert client.llen("q") == 100


def test_prefetch_bounds_a_fetch(redis_url: str, client: redis.Redis) -> None:
    with (
        bulk(redis_url) as connection,
        receiving(connection, "q", ack=False, prefetch=5) as received,
    ):
        publish(connection, "q", *range(20))
        received.until_count(5)
        received.once()
        assert (client.hlen(UNACKED), client.llen("q")) == (5, 15)
        for message in received.messages[:3]:
            message.ack()
        received.until_count(8)


def test_consuming_goes_on_after_a_link_that_died_in_silence(
    redis_server: EmbeddedRedis, redis_url: str, client: redis.Redis
) -> None:
    options = {"health_check_interval": 1, "socket_timeout": 1, "unacked_restore_throttle": 1}
    with Proxy(redis_server.port) as proxy, stock(redis_url) as sender:
        url = redis_url.replace(f":{redis_server.port}/", f":{proxy.port}/")
        with (
            bulk(url, visibility_timeout=1, **options) as connection,
            receiving(connection, "q") as received,
        ):
            publish(sender, "q", *range(5))
            received.until_count(5)
            received.once()
            proxy.freeze()
            publish(sender, "q", *range(5, 10))
            received.until(lambda: set(received.bodies) == set(range(10)))
    assert not client.exists(UNACKED, INDEX, "q")
