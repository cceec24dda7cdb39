"""What a request ends is announced, and no request waits for a Redis that does not answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

import redis

from api.announcing import Announcements
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import CHANNEL, DELIVERIES_CHANNEL, Announcer
from lepton_tasks.launcher.ports import free_port
from tests.support.api import Api

PATIENCE = 60.0


class Stuck(Announcer):
    """Announces when it is let to: as if Redis took all the time that it may."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__(client, is_away=lambda: False)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.said: list[set[str]] = []
        self.waited_out = False

    def announce(self, job_ids: Iterable[str]) -> None:
        self.begun.set()
        self.waited_out |= not self.go_on.wait(PATIENCE)
        self.said.append(set(job_ids))


def test_what_is_said_reaches_the_channels(redis_url: str) -> None:
    client = connect(redis_url, 5.0)
    heard = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    heard.subscribe(CHANNEL, DELIVERIES_CHANNEL)
    heard.get_message(timeout=PATIENCE)
    heard.get_message(timeout=PATIENCE)
    with Announcements(Announcer(client, is_away=lambda: False)) as announcements:
        announcements.say(["job_1"])
    found = [heard.get_message(timeout=PATIENCE) for _ in range(2)]
    assert [(one["channel"].decode(), one["data"]) for one in found] == [
        (CHANNEL, b"job_1"),
        (DELIVERIES_CHANNEL, b"1"),
    ]
    heard.close()


def test_what_is_said_meanwhile_goes_out_together() -> None:
    stuck = Stuck(connect(f"redis://127.0.0.1:{free_port()}/0", 1.0))
    with Announcements(stuck) as announcements:
        announcements.say(["job_1"])
        assert stuck.begun.wait(PATIENCE)
        for n in range(2, 5):
            announcements.say([f"job_{n}"])
        announcements.say()
        stuck.go_on.set()
    announcements._thread.join(PATIENCE)
    assert stuck.said == [{"job_1"}, {"job_2", "job_3", "job_4"}]


def test_cancelling_does_not_wait_for_redis(api: Api) -> None:
    state = api.client.app.state  # type: ignore[attr-defined]
    stuck = Stuck(state.services.redis)
    jobs = [api.submitted() for _ in range(3)]
    with Announcements(stuck) as announcements:
        state.services = replace(state.services, announcements=announcements)
        for job in jobs:
            cancelled = api.call("POST", f"/v1/jobs/{job}/cancel").json()
            assert cancelled["state"] == "cancelled"
        assert stuck.begun.wait(PATIENCE)
        assert stuck.said == []  # nothing has been announced, and all are answered
        stuck.go_on.set()
    announcements._thread.join(PATIENCE)
    assert set().union(*stuck.said) == set(jobs)
    assert not stuck.waited_out
