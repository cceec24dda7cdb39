"""Messages come to consumers in the order of submits, and a Redis that is away is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.publisher import Publisher
from lepton_tasks.broker.wakeups import BACKLOG_CHANNEL
from lepton_tasks.errors import BrokerUnavailable
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.launcher.ports import free_port
from lepton_tasks.queues import Priority, queue_name
from tests.support.message import messages_of

PATIENCE = 60.0

Where = tuple[str, Priority]

places = st.lists(
    st.tuples(st.sampled_from(["moderation", "情感"]), st.sampled_from(list(Priority))), max_size=12
)


def jobs_of(where: Sequence[Where]) -> list[NewJob]:
    return [
        NewJob("acme", task, Payload(("秘密",), single=True), 1, priority, id=f"job_{number}")
        for number, (task, priority) in enumerate(where)
    ]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=places, second=places)
def test_each_queue_has_its_jobs_in_order(
    redis_url: str, first: list[Where], second: list[Where]
) -> None:
    with connect(redis_url, 5.0) as client:
        client.flushdb()
        publisher = Publisher(client)
        jobs = jobs_of([*first, *second])
        publisher.publish(jobs[: len(first)])
        lengths = publisher.publish(jobs[len(first) :])
        wanted: dict[str, list[str]] = {}
        for job in jobs:
            wanted.setdefault(queue_name(job.task, job.priority), []).append(job.id)
        found = {
            queue: [message["headers"]["id"] for message in messages_of(client, queue)]
            for queue in wanted
        }
        assert found == wanted
        assert lengths == {queue_name(*place): len(wanted[queue_name(*place)]) for place in second}
        known = [*wanted, "none.normal"]
        assert publisher.lengths(known) == {name: len(wanted.get(name, ())) for name in known}


def test_the_feeder_is_told_of_what_was_held_back_and_of_nothing_else(redis_url: str) -> None:
    with connect(redis_url, 5.0) as client:
        heard = client.pubsub(ignore_subscribe_messages=True)
        heard.subscribe(BACKLOG_CHANNEL)
        heard.get_message(timeout=PATIENCE)
        publisher = Publisher(client)
        jobs = jobs_of([("moderation", Priority.HIGH)])
        assert publisher.publish(jobs) == {"moderation.high": 1}
        assert heard.get_message(timeout=0.01) is None
        assert publisher.publish(jobs, held_back=True) == {"moderation.high": 2}
        assert publisher.publish([], held_back=True) == {}
        assert [heard.get_message(timeout=PATIENCE)["data"] for _ in range(2)] == [b"1", b"1"]
        heard.close()


def test_nothing_to_say_asks_nobody() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0", 0.5) as nobody:
        assert Publisher(nobody).publish([]) == {}


def test_a_redis_that_is_away_is_told() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0", 0.5) as nobody:
        publisher = Publisher(nobody)
        with pytest.raises(BrokerUnavailable, match="did not take the messages"):
            publisher.publish(jobs_of([("moderation", Priority.BULK)]))
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            publisher.lengths(["moderation.bulk"])
