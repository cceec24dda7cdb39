"""Whatever a Redis has lost, or remembers of long ago, the store's jobs are queued there again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from lepton_tasks.celery.app import make_app
from lepton_tasks.embedded.redis import EmbeddedRedis
from lepton_tasks.producer import Producer
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store
from tests.support.message import messages_of

Reconcile = Callable[[], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of this test's own; it restores ``dump.rdb`` when it starts."""
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def live(settings: Settings, server: EmbeddedRedis) -> Settings:
    return settings.model_copy(update={"redis_url": server.url})


@pytest.fixture
def producer(store: Store, live: Settings) -> Iterator[Producer]:
    with Producer(live, store) as producer:
        yield producer


@pytest.fixture
def reconcile(store: Store, live: Settings) -> Iterator[Reconcile]:
    """Does the periodic work once, as a process that has just started."""
    with ExitStack() as stack:

        def once() -> None:
            stack.enter_context(closing(Reconciler(store, live, "here"))).run_once()

        yield once


def queued(server: EmbeddedRedis, queue: str = "moderation.normal") -> list[str]:
    with redis.Redis.from_url(server.url) as client:
        return [message["headers"]["id"] for message in messages_of(client, queue)]


def wait_long(store: Store) -> None:
    """Let all that is published have been so for minutes."""
    with store.database.write() as connection:
        connection.execute(text("UPDATE jobs SET published_at = published_at - 600"))


def test_one_that_starts_empty_is_filled_at_once(
    store: Store, server: EmbeddedRedis, producer: Producer, reconcile: Reconcile
) -> None:
    reconcile()
    sent = [producer.submit("moderation", f"好 {n}").id for n in range(3)]
    server.stop()
    server.start()
    assert queued(server) == []
    reconcile()
    assert sorted(queued(server)) == sorted(sent)


def test_a_queue_that_somebody_purged_is_filled_again_and_no_other(
    store: Store, live: Settings, server: EmbeddedRedis, producer: Producer, reconcile: Reconcile
) -> None:
    reconcile()
    purged = [producer.submit("moderation", f"好 {n}").id for n in range(3)]
    others = [producer.submit("moderation", f"好 {n}", priority="bulk").id for n in range(3)]
    app = make_app(live, ["moderation"])
    with app.connection_for_write() as connection, connection.channel() as channel:
        assert app.amqp.queues["moderation.normal"](channel).purge() == 3
    reconcile()
    assert queued(server) == []  # the messages may be on their way
    wait_long(store)
    reconcile()
    assert sorted(queued(server)) == sorted(purged)
    assert sorted(queued(server, "moderation.bulk")) == sorted(others)


def test_after_an_old_copy_is_restored_what_is_new_is_queued_and_what_is_done_stays_so(
    store: Store, server: EmbeddedRedis, producer: Producer, reconcile: Reconcile
) -> None:
    reconcile()
    done = producer.submit("moderation", "那时").id
    kept = producer.submit("moderation", "then too").id
    with redis.Redis.from_url(server.url) as client:
        client.save()
    store.jobs.cancel("default", done)
    new = producer.submit("moderation", "后来").id
    server.stop()
    server.start()
    assert queued(server) == [done, kept]
    wait_long(store)
    reconcile()
    assert queued(server) == [done, kept, new]
    assert [job.id for job in store.claims.claim("w1", queued(server))] == [kept, new]
