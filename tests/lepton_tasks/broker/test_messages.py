"""Our message bytes against those of Celery and kombu themselves."""

from __future__ import annotations

import json
from typing import Any

import redis
from celery import Celery
from kombu import Connection

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.messages import OWN_HEADER, thin_message, thin_messages
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.queues import Priority
from tests.support.message import messages_of

# What may differ: our mark, and what names the sender.
SENDERS_OWN = {"reply_to", "delivery_tag", "origin", OWN_HEADER, "argsrepr", "kwargsrepr"}


def without_senders_own(message: dict[str, Any]) -> dict[str, Any]:
    for part in ("headers", "properties"):
        message[part] = {
            name: value for name, value in message[part].items() if name not in SENDERS_OWN
        }
    return message


def test_equal_to_what_celery_sends(redis_url: str) -> None:
    app = Celery(broker=redis_url, set_as_current=False)
    app.send_task("lepton.moderation", task_id="job_1", queue="moderation.bulk", ignore_result=True)
    with redis.Redis.from_url(redis_url) as client:
        [celerys] = messages_of(client, "moderation.bulk")
    ours = json.loads(thin_message("job_1", "moderation", "bulk"))
    assert ours["headers"][OWN_HEADER] == 1
    assert without_senders_own(ours) == without_senders_own(celerys)


def test_a_page_of_messages_is_the_same_as_one_by_one() -> None:
    ids = ["job_1", 'a "quoted" % id', "编号 3"]
    page = [json.loads(message) for message in thin_messages(ids, "100%", "high")]
    for job_id, message in zip(ids, page, strict=True):
        assert message["headers"]["id"] == message["headers"]["root_id"] == job_id
        assert message["properties"]["correlation_id"] == job_id
        assert message["properties"]["delivery_info"]["routing_key"] == "100%.high"
        alone = json.loads(thin_message(job_id, "100%", "high"))
        assert without_senders_own(alone) == without_senders_own(message)


def test_a_stock_kombu_consumer_reads_it(redis_url: str) -> None:
    job = NewJob("t", "moderation", Payload(("你好",), single=True), 1, Priority.HIGH, id="jöb 1")
    Publisher(connect(redis_url, 5.0)).publish([job])
    with Connection(redis_url) as connection, connection.SimpleQueue("moderation.high") as queue:
        message = queue.get(timeout=5)
        assert message.headers["id"] == "jöb 1"
        assert message.payload[:2] == [[], {}]
        message.ack()


def test_no_text_travels_and_order_is_kept(redis_url: str) -> None:
    jobs = [
        NewJob("t", "moderation", Payload(("秘密",), single=True), 1, id=f"job_{n}")
        for n in range(5)
    ]
    client = connect(redis_url, 5.0)
    Publisher(client).publish(jobs)
    messages = messages_of(client, "moderation.normal")
    assert [message["headers"]["id"] for message in messages] == [job.id for job in jobs]
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 5
    assert "秘密" not in json.dumps(messages, ensure_ascii=False)
