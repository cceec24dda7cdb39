"""Bulk fetch on a real Redis: what is bad, how much, in which order, and who dies when."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import uuid
from typing import Any

import pytest
import redis
from kombu import Connection

from lepton_tasks.transport.quarantine import QUARANTINE_KEY, Quarantine
from tests.support.consuming import KEYS, PATIENCE, bulk, default_queue, publish, receiving, stock

UNACKED, INDEX = KEYS["unacked_key"], KEYS["unacked_index_key"]


def raw_message(body: str = "W1tdLCB7fSwge31d", **changes: Any) -> dict[str, Any]:
    message = {
        "body": body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {
            "delivery_tag": uuid.uuid4().hex,
            "delivery_info": {"exchange": "", "routing_key": "q"},
            "body_encoding": "base64",
            "priority": 0,
        },
    }
    return message | changes


def without(name: str) -> bytes:
    message = raw_message()
    (message if name in message else message["properties"]).pop(name)
    return json.dumps(message).encode()


BAD = {
    b"\x00\xff\xfe": "not JSON",
    b"": "not JSON",
    b"17": "not an object",
    b"[" * 2000: "not JSON",
    b"[]": "no properties",
    without("properties"): "no properties",
    without("delivery_tag"): "no properties.delivery_tag of printable ASCII",
    without("delivery_info"): "no properties.delivery_info",
    without("body"): "no body",
    json.dumps(raw_message("W")).encode(): "not a message (Error)",
    json.dumps(raw_message(headers={"task": []})).encode(): "headers.task is of type list",
    json.dumps(raw_message(headers={"x": "?"})).encode().replace(b"?", b"\xff"): "not UTF-8",
}


def test_one_bad_message_at_each_position_of_a_full_fetch(
    redis_url: str, client: redis.Redis
) -> None:
    kinds = list(BAD)
    with bulk(redis_url, fetch_limit=8) as connection:
        for position in range(8):
            bad = kinds[position]
            publish(connection, "q", *range(position))
            client.lpush("q", bad)
            publish(connection, "q", *range(position, 7))
            with receiving(connection, "q") as received:
                received.until_count(7)
            assert received.bodies == list(range(7))
            [kept] = Quarantine(client).messages()
            assert (kept.queue, kept.reason, kept.raw) == ("q", BAD[bad], bad)
            assert client.keys() == [QUARANTINE_KEY.encode()]
            client.delete(QUARANTINE_KEY)


def test_a_fetch_of_nothing_but_bad_messages(redis_url: str, client: redis.Redis) -> None:
    with bulk(redis_url) as connection:
        client.lpush("q", *BAD)
        publish(connection, "q", "good")
        with receiving(connection, "q") as received:
            received.until(lambda: received.bodies == ["good"])
    assert {kept.raw: kept.reason for kept in Quarantine(client).messages()} == BAD
    assert client.keys() == [QUARANTINE_KEY.encode()]


def test_thousands_of_fuzzed_messages_neither_kill_nor_vanish(
    redis_url: str, client: redis.Redis
) -> None:
    dice = random.Random(20)
    pushed = []
    for _ in range(4000):
        raw = bytearray(json.dumps(raw_message(headers={"task": "t"})).encode())
        kind = dice.randrange(4)
        if kind == 0:
            raw = bytearray(dice.randbytes(dice.randrange(200)))
        elif kind == 1:
            del raw[dice.randrange(len(raw)) :]
        else:
            for _ in range(dice.randrange(1, 6)):
                raw[dice.randrange(len(raw))] = dice.randrange(256)
        pushed.append(bytes(raw))
    with bulk(redis_url) as connection:
        for first in range(0, len(pushed), 500):
            client.lpush("q", *pushed[first : first + 500])
            publish(connection, "q", {"good": first})
        good: list[Any] = []

        def take(message: Any) -> None:
            good.append(message)
            message.ack()

        channel = connection.channel()
        consumer = connection.Consumer(
            [default_queue("q")],
            channel=channel,
            on_message=take,
        )
        consumer.consume()
        end = time.monotonic() + PATIENCE
        while client.llen("q"):
            assert time.monotonic() < end
            connection.drain_events(timeout=PATIENCE)
        channel.close()
    kept = [message.raw for message in Quarantine(client).messages()]
    assert len(good) + len(kept) == len(pushed) + 8
    assert set(kept) <= set(pushed)
    assert sum(not m.headers and b"good" in m.body for m in good) == 8
    assert not client.exists(UNACKED, INDEX)


def test_a_key_that_is_no_list_costs_only_its_own_queue(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection, receiving(connection, "high", "q") as received:
        client.set("high", "not a list")
        publish(connection, "q", 1, 2)
        received.until(lambda: received.bodies == [1, 2])
        client.delete("high")
        publish(connection, "high", 3)
        received.until(lambda: received.bodies == [1, 2, 3])


def test_an_unacked_key_of_a_wrong_type_pops_nothing(redis_url: str, client: redis.Redis) -> None:
    client.set(UNACKED, "not a hash")
    with bulk(redis_url) as connection, receiving(connection, "q") as received:
        publish(connection, "q", 1)
        with pytest.raises(redis.ResponseError):
            received.until(lambda: False)
        assert client.llen("q") == 1
        client.delete(UNACKED)
        received.until(lambda: received.bodies == [1])


def test_a_message_too_long_is_set_aside_unread(redis_url: str, client: redis.Redis) -> None:
    with bulk(redis_url, max_message_bytes=5000) as connection:
        publish(connection, "q", "x" * 6000, "short")
        with receiving(connection, "q") as received:
            received.until(lambda: received.bodies == ["short"])
    [kept] = Quarantine(client).messages()
    assert kept.reason == "longer than 5000 bytes"


def test_the_same_message_twice_is_delivered_once_and_another_of_its_tag_set_aside(
    redis_url: str, client: redis.Redis
) -> None:
    message = raw_message("MQ==")
    twin = json.dumps(message)
    other = json.dumps({**message, "body": "Mg=="})
    client.lpush("q", twin, twin, other)
    with bulk(redis_url) as connection, receiving(connection, "q", ack=False) as received:
        received.until(lambda: received.bodies == [1])
        received.once()
        assert received.bodies == [1]
        assert client.hlen(UNACKED) == 1
        [kept] = Quarantine(client).messages()
        assert kept.raw.decode() == other


def test_the_quarantine_is_bounded(redis_url: str, client: redis.Redis) -> None:
    client.lpush("q", *(f"bad {n}" for n in range(50)))
    with bulk(redis_url, quarantine_limit=10) as connection:
        with receiving(connection, "q") as received:
            received.once()
        kept = [message.raw for message in Quarantine(client).messages()]
    assert kept == [f"bad {n}".encode() for n in range(49, 39, -1)]


def test_queues_share_a_fetch_by_the_weights_of_their_priorities(redis_url: str) -> None:
    names = {name: f"moderation.{name}" for name in ("bulk", "high", "normal")}
    with bulk(redis_url, fetch_limit=21) as connection:
        for name, queue in names.items():
            publish(connection, queue, *[name] * 100)
        with receiving(connection, *names.values()) as received:
            received.once()
            assert received.bodies == ["high"] * 16 + ["normal"] * 4 + ["bulk"]
            received.until_count(300)


def test_bulk_is_not_starved_where_there_is_room_for_one(redis_url: str) -> None:
    with bulk(redis_url, fetch_limit=1) as connection:
        publish(connection, "t.high", *["high"] * 90)
        publish(connection, "t.bulk", *["bulk"] * 5)
        with receiving(connection, "t.high", "t.bulk") as received:
            received.until(lambda: received.bodies.count("bulk") == 5)
            assert "high" in received.bodies[85:] or len(received.bodies) <= 90


def test_a_forgotten_script_is_loaded_again(redis_url: str, client: redis.Redis) -> None:
    with bulk(redis_url) as connection, receiving(connection, "q") as received:
        for n in range(3):
            publish(connection, "q", n)
            client.script_flush()
            received.until_count(n + 1)


def test_a_consumer_that_raises_keeps_the_rest_in_order(
    redis_url: str, client: redis.Redis
) -> None:
    def fail_once(body: int) -> None:
        if body == 3 and received.bodies.count(3) == 1:
            raise RuntimeError("the consumer's own fault")

    with bulk(redis_url) as connection:
        publish(connection, "q", *range(10))
        with receiving(connection, "q", on_message=fail_once) as received:
            with pytest.raises(RuntimeError):
                received.until(lambda: False)
            assert client.llen("q") == 6
            received.until_count(10)
            assert received.bodies == list(range(10))


def kill_consumers(client: redis.Redis) -> None:
    for connection in client.client_list():
        if connection["name"] == "consumer":
            client.client_kill_filter(_id=connection["id"])


def test_connections_killed_with_messages_in_flight_lose_nothing(
    redis_url: str, client: redis.Redis
) -> None:
    done: set[int] = set()
    total, kills = 600, 0

    def consume_until_killed(connection: Connection) -> None:
        nonlocal kills
        with receiving(connection, "q", ack=False, prefetch=40) as received:
            while len(done) < total:
                connection.drain_events(timeout=PATIENCE)
                if kills < 8 and len(done) >= 60 * kills:
                    kills += 1
                    kill_consumers(client)
                for body, message in zip(received.bodies, received.messages, strict=True):
                    message.ack()
                    done.add(body)
                received.bodies.clear()
                received.messages.clear()

    with stock(redis_url) as sender:
        publish(sender, "q", *range(total))
    end = time.monotonic() + PATIENCE
    while len(done) < total:
        assert time.monotonic() < end
        with bulk(redis_url, client_name="consumer") as connection:
            try:
                consume_until_killed(connection)
            except connection.connection_errors:
                continue
    assert kills == 8
    assert done == set(range(total))
    assert client.keys() == []


CHILD = """
import sys
from lepton_tasks.embedded.redis import EmbeddedRedis
from tests.support.proxy import Proxy
from tests.support.consuming import bulk, receiving
with bulk(sys.argv[1], fetch_limit=16) as connection:
    with receiving(connection, "q", ack=False) as received:
        while True:
            received.once()
            print(len(received.bodies), flush=True)
"""


def test_a_killed_consumer_loses_nothing_whenever_it_dies(
    redis_url: str, client: redis.Redis
) -> None:
    total = 4000
    with stock(redis_url) as sender:
        publish(sender, "q", *range(total))
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, redis_url], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert client.llen("q") + client.hlen(UNACKED) == total
        assert client.hlen(UNACKED) == client.zcard(INDEX)
    assert client.hlen(UNACKED) > 0
    options = {"visibility_timeout": 1, "unacked_restore_throttle": 1}
    with bulk(redis_url, **options) as connection, receiving(connection, "q") as received:
        received.until_count(total)
    assert sorted(received.bodies) == list(range(total))
