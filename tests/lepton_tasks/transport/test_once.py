"""A task's message that is sent a second time is on its queue once."""

from __future__ import annotations

import redis

from lepton_tasks.celery.app import make_sending_app
from lepton_tasks.settings import Settings
from lepton_tasks.transport.once import MARK_KEY, MARK_SECONDS
from tests.support.message import ids_of


def test_a_message_is_sent_once_on_any_redis(settings: Settings, guarded_redis_url: str) -> None:
    check(settings.model_copy(update={"redis_url": guarded_redis_url}))


def test_a_message_is_sent_once(settings: Settings, redis_url: str) -> None:
    check(settings.model_copy(update={"redis_url": redis_url}))
    with redis.Redis.from_url(redis_url) as client:
        queue: list[bytes] = client.lrange("users", 0, -1)
        assert ids_of(reversed(queue)) == ["t1", "t2"]
        assert 0 < client.ttl(f"{MARK_KEY}t1") <= MARK_SECONDS
        assert client.llen("users\x06\x163") == 1


def check(settings: Settings) -> None:
    app = make_sending_app(settings)
    for task_id in ("t1", "t2", "t1"):
        app.send_task("mine", ["你好"], task_id=task_id, queue="users")
    for _ in range(2):
        app.send_task("mine", ["urgent"], task_id="t3", queue="users", priority=3)
    with app.connection_for_write() as connection:
        assert type(connection.transport).__name__.startswith("Once")
        channel = connection.default_channel
        assert channel.client.llen("users") == 2
