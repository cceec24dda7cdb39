"""Our transport against kombu's own, both ways, on a real Redis."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery, signals
from kombu import Connection, Exchange, Queue
from kombu.pools import reset
from redis.backoff import NoBackoff
from redis.retry import Retry

from lepton_tasks.errors import ConfigError
from lepton_tasks.transport.redis import SentinelTransport, TlsTransport, Transport, bulk_url
from tests.support.consuming import KEYS, bulk, default_queue, publish, receiving, stock
from tests.support.sentinel import Sentinel

BODIES = [{"n": n, "text": "你好 world"} for n in range(300)]
SIDES = pytest.mark.parametrize(
    ("producing", "consuming"), [(stock, bulk), (bulk, stock), (bulk, bulk)]
)


@SIDES
@pytest.mark.parametrize("prefix", ["", "team-a:"])
def test_messages_arrive_once_and_in_order(
    redis_url: str, client: redis.Redis, producing: Any, consuming: Any, prefix: str
) -> None:
    options = {"global_keyprefix": prefix}
    with producing(redis_url, **options) as sender, consuming(redis_url, **options) as receiver:
        publish(sender, "moderation.normal", *BODIES)
        with receiving(receiver, "moderation.normal", "moderation.high") as received:
            received.until_count(len(BODIES))
        assert received.bodies == BODIES
    assert client.keys() == []


@SIDES
def test_a_message_wakes_a_consumer_that_waits(
    redis_url: str, producing: Any, consuming: Any
) -> None:
    with producing(redis_url) as sender, consuming(redis_url) as receiver:
        with receiving(receiver, "q") as received:
            received.once(timeout=0.05)
            for n in range(5):
                publish(sender, "q", n)
                received.until_count(n + 1)
        assert received.bodies == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("method", ["gzip", "bzip2", "lzma"])
def test_compressed_messages(redis_url: str, method: str) -> None:
    with stock(redis_url) as sender, bulk(redis_url) as receiver:
        publish(sender, "q", *BODIES[:3], compression=method)
        with receiving(receiver, "q") as received:
            received.until_count(3)
        assert received.bodies == BODIES[:3]


@SIDES
def test_kombu_priorities_within_a_queue(redis_url: str, producing: Any, consuming: Any) -> None:
    with producing(redis_url) as sender, consuming(redis_url) as receiver:
        for priority in (9, 0, 6, 3):
            publish(sender, "q", priority, priority=priority)
        with receiving(receiver, "q") as received:
            received.until_count(4)
        assert received.bodies == [0, 3, 6, 9]


@pytest.mark.parametrize(("leaving", "restoring"), [(stock, bulk), (bulk, stock), (bulk, bulk)])
def test_what_one_leaves_unacknowledged_the_other_restores(
    redis_url: str, client: redis.Redis, leaving: Any, restoring: Any
) -> None:
    options = {"visibility_timeout": 1, "unacked_restore_throttle": 1}
    queue = Queue("named", Exchange("orders"), routing_key="new")
    with stock(redis_url) as sender:
        publish(sender, "q", *range(20), priority=3)
        queue(sender.channel()).declare()
        producer = sender.Producer()
        producer.publish("named", exchange="orders", routing_key="new", serializer="json")
    with leaving(redis_url, **options) as dying:
        channel = dying.channel()
        channel.do_restore = False
        consumer = dying.Consumer(
            [default_queue("q"), queue], channel=channel, callbacks=[lambda *_: None]
        )
        consumer.consume()
        while client.hlen(KEYS["unacked_key"]) < 21:
            dying.drain_events(timeout=5)
    with (
        restoring(redis_url, **options) as receiver,
        receiving(receiver, "q", "named") as received,
    ):
        received.until_count(21)
        received.until(lambda: not client.exists(KEYS["unacked_key"]))
    assert [body for body in received.bodies if body != "named"] == list(range(20))
    assert all(message.headers["redelivered"] for message in received.messages)
    assert not client.exists(KEYS["unacked_index_key"])


@pytest.mark.parametrize("consuming", [stock, bulk])
def test_a_single_get(redis_url: str, client: redis.Redis, consuming: Any) -> None:
    with bulk(redis_url) as sender, consuming(redis_url) as receiver:
        publish(sender, "q", "one", "two")
        with receiver.SimpleQueue("q") as simple:
            for expected in ("one", "two"):
                message = simple.get(timeout=5)
                assert message.payload == expected
                message.ack()
        channel = receiver.channel()
        publish(sender, "q", "three")
        message = default_queue("q")(channel).get(accept=["json"])
        assert message.payload == "three"
        assert client.hlen(KEYS["unacked_key"]) == 1
        message.ack()
        assert default_queue("q")(channel).get() is None
        publish(sender, "q", "four")
        assert default_queue("q")(channel).get(no_ack=True, accept=["json"]).payload == "four"
    assert client.keys("lepton*") == []


def test_a_consumer_without_acknowledgements_leaves_nothing(
    redis_url: str, client: redis.Redis
) -> None:
    with bulk(redis_url) as connection:
        publish(connection, "q", 1, 2)
        bodies: list[Any] = []
        consumer = connection.Consumer(
            [default_queue("q")],
            no_ack=True,
            accept=["json"],
            callbacks=[lambda body, message: bodies.append(body)],
        )
        with consumer:
            while len(bodies) < 2:
                connection.drain_events(timeout=5)
        assert client.keys("lepton*") == []


@pytest.fixture
def logging_left_alone() -> Iterator[None]:
    """A worker inside this process must not set up logging for all later tests."""

    def leave(**_: Any) -> None:
        """Take the place of Celery's own set-up."""

    signals.setup_logging.connect(leave)
    yield
    signals.setup_logging.disconnect(leave)


@pytest.mark.usefixtures("logging_left_alone")
@pytest.mark.parametrize("worker_side", ["ours", "stock"])
def test_remote_control_between_a_worker_and_its_controller(
    redis_url: str, worker_side: str
) -> None:
    from celery.contrib.testing.worker import start_worker

    def app(url: str) -> Celery:
        made = Celery(
            uuid.uuid4().hex, broker=redis_url, backend="cache+memory://", set_as_current=False
        )
        made.conf.update(broker_read_url=url, broker_write_url=url, worker_hijack_root_logger=False)
        return made

    ours, stocks = bulk_url(redis_url), redis_url
    worker_url, controller_url = (ours, stocks) if worker_side == "ours" else (stocks, ours)
    worker, controller = app(worker_url), app(controller_url)

    @worker.task(name=f"double-{worker_side}")
    def double(number: int) -> int:
        return number * 2

    try:
        with start_worker(worker, pool="solo", perform_ping_check=False, shutdown_timeout=20):
            replies = controller.control.inspect(timeout=5, limit=1).ping()
            assert [reply["ok"] for reply in replies.values()] == ["pong"]
            done = worker.AsyncResult(controller.send_task(double.name, (21,)).id)
            assert done.get(timeout=20, disable_sync_subtasks=False) == 42
    finally:
        reset()


def test_schemes_of_urls() -> None:
    with Connection(bulk_url("redis://h:1/2")) as plain:
        assert type(plain.transport) is Transport
        assert (plain.hostname, plain.port, plain.virtual_host) == ("h", 1, "2")
        assert type(plain.clone().transport) is Transport
    with Connection("redis://h", transport="lepton_tasks.transport.redis:Transport") as named:
        assert type(named.transport) is Transport
    with Connection(bulk_url("sentinel://a:1;sentinel://b:2")) as sentinels:
        assert type(sentinels.transport) is SentinelTransport
        sentinels.switch(next(sentinels.cycle))
        assert type(sentinels.transport) is SentinelTransport
        assert (sentinels.hostname, sentinels.port) == ("b", 2)
    for wrong in ("amqp://h", "redis://a;amqp://b", "h:6379"):
        with pytest.raises(ConfigError):
            bulk_url(wrong)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", ssl.CERT_REQUIRED), ("?ssl_cert_reqs=none", ssl.CERT_NONE)],
)
def test_a_tls_url_never_makes_a_plain_connection(
    query: str, expected: ssl.VerifyMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis.Redis, "ping", lambda self: True)
    with Connection(bulk_url("rediss://h:6380/0" + query)) as connection:
        assert isinstance(connection.transport, TlsTransport)
        channel = connection.channel()
        for pool in (channel.pool, channel.async_pool):
            made = pool.make_connection()
            assert isinstance(made, redis.SSLConnection)
            assert made.cert_reqs == expected


def test_ack_emulation_cannot_be_switched_off(redis_url: str) -> None:
    with bulk(redis_url, ack_emulation=False) as connection, pytest.raises(ConfigError):
        connection.channel()


def test_the_master_is_found_through_sentinel(sentinel: Sentinel) -> None:
    options = {
        "master_name": sentinel.master_name,
        "sentinel_kwargs": {"retry": Retry(NoBackoff(), 0)},
    }
    with (
        stock(sentinel.url, **options) as sender,
        bulk("sentinel://127.0.0.1:1;" + sentinel.url, **options) as receiver,
        receiving(receiver, "q") as received,
    ):
        publish(sender, "q", *range(50))
        received.until_count(50)
    assert received.bodies == list(range(50))
