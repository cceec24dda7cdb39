"""A consumer without room still takes messages of the most urgent queues, and only these."""

from __future__ import annotations

import time

import redis
from kombu import Connection

from tests.support.consuming import publish, receiving, run_loop

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
