"""Owed calls become Celery messages: once where all goes well, again where it does not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import redis
from celery import Celery

from lepton_tasks.canvas.following import Call, Following
from lepton_tasks.celery.app import make_sending_app
from lepton_tasks.celery.sending import FollowUpSender, follow_up_sender, publish
from lepton_tasks.errors import BrokerUnavailable, StoreUnavailable
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.settings import Settings
from lepton_tasks.store.store import Store
from tests.support.canvases import adopt, call, finish
from tests.support.message import messages_of


@pytest.fixture
def live(settings: Settings, redis_url: str) -> Settings:
    return settings.model_copy(update={"redis_url": redis_url})


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def owe(store: Store, *signatures: dict[str, Any]) -> None:
    store.canvases.follow(Following([Call(one, ["你好"]) for one in signatures]))


def due_now(store: Store) -> None:
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE follow_ups SET next_at = 0")


def body_of(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


def test_a_call_becomes_a_message_on_its_queue(
    store: Store, live: Settings, client: redis.Redis
) -> None:
    owe(store, call("mine", "m"), call("lepton.noop", "n"), call("mine", "q", queue="elsewhere"))
    assert follow_up_sender(store, live).send() == 3
    for queue, task_id in (("celery", "m"), ("noop.normal", "n"), ("elsewhere", "q")):
        [message] = messages_of(client, queue)
        assert message["headers"]["id"] == task_id
        assert body_of(message)[0] == ["你好"]
    assert store.follow_ups.count() == 0


def test_no_header_shows_arguments(store: Store, live: Settings, client: redis.Redis) -> None:
    given = call("mine", "m") | {"kwargs": {"note": "秘密"}}
    member = call("mine", "g") | {"kwargs": {"note": "秘密"}}
    group = {"task": "celery.group", "kwargs": {"tasks": [member]}, "subtask_type": "group"}
    owe(store, given, group, call("lepton.noop", "n"))
    follow_up_sender(store, live).send()
    messages = [*messages_of(client, "celery"), *messages_of(client, "noop.normal")]
    assert [body_of(message)[0] for message in messages] == [["你好"]] * 3
    for message in messages:
        headers = str(message["headers"])
        assert "你" not in headers and "秘" not in headers


def test_a_chain_is_sent_with_what_is_left_of_it(live: Settings, client: redis.Redis) -> None:
    rest = [call("lepton.noop", "3"), call("mine", "2")]
    options = {"chain": rest, "parent_id": "t", "root_id": "r"}
    publish(make_sending_app(live), Call(call("mine", "1"), [7], options), "users")
    [message] = messages_of(client, "users")
    assert (message["headers"]["parent_id"], message["headers"]["root_id"]) == ("t", "r")
    last, following = body_of(message)[2]["chain"]
    assert last["options"]["queue"] == "noop.normal"
    assert "queue" not in following["options"]


def test_a_broker_that_does_not_take_it_gets_it_later(
    store: Store, live: Settings, client: redis.Redis
) -> None:
    owe(store, call("fine", "f"), call("mine", "m", queue="users"), call("late", "l"))
    client.set("users", "no list")
    sender = follow_up_sender(store, live)
    with pytest.raises(BrokerUnavailable, match="follow-ups could not be sent"):
        sender.send()
    assert store.follow_ups.count() == 2
    assert sender.send() == 0
    client.delete("users")
    due_now(store)
    sender.send_all()
    assert [one["headers"]["id"] for one in messages_of(client, "users")] == ["m"]
    assert [one["headers"]["id"] for one in messages_of(client, "celery")] == ["f", "l"]


def test_a_call_that_cannot_be_made_is_given_up(store: Store, live: Settings) -> None:
    owe(store, call("mine", "m", countdown="soon", link_error=[call("failed")]))
    sender = follow_up_sender(store, live)
    for _ in range(3):
        due_now(store)
        assert sender.send() == 1
    [result] = store.task_results.find(["m"])
    assert result.status == "FAILURE" and "could not be sent" in result.meta
    [errback] = store.follow_ups.take()
    assert errback.call.args == ["m"]


def test_a_database_that_is_away_is_no_fault_of_the_call(store: Store) -> None:
    owe(store, call("mine", "m"))

    def app() -> Celery:
        raise StoreUnavailable("away")

    sender = FollowUpSender(store.follow_ups, app, None)
    for _ in range(4):
        due_now(store)
        with pytest.raises(StoreUnavailable):
            sender.send()
    assert store.follow_ups.count() == 1


def test_the_reconciler_sends_what_a_dead_worker_owed(
    store: Store, live: Settings, database_url: str, client: redis.Redis
) -> None:
    finish(store, adopt(store, "t1", callbacks=[call("mine", "m", queue="users")]), 1)
    reconciler = Reconciler(store, live.model_copy(update={"database_url": database_url}), "r")
    reconciler.run_once()
    reconciler.close()
    assert [one["headers"]["id"] for one in messages_of(client, "users")] == ["m"]
    assert store.follow_ups.count() == 0


def test_an_app_of_somebody_else_sends_by_its_own_routes(
    store: Store, redis_url: str, client: redis.Redis
) -> None:
    app = Celery(broker=redis_url, set_as_current=False)
    app.conf.task_routes = {"mine": {"queue": "theirs"}}
    owe(store, call("mine", "m"))
    FollowUpSender(store.follow_ups, lambda: app, None).send()
    assert len(messages_of(client, "theirs")) == 1
