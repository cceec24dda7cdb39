from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.breaker import BreakerLimits
from lepton_tasks.webhooks.lanes import LaneLimits
from lepton_tasks.webhooks.sender import SenderLimits
from tests.support.receiver import Receiver
from tests.support.sending import (
    attempts_of,
    eventually,
    fence_of,
    make_due,
    owe,
    running_sender,
    state_of,
)

SLOW_RETRY = 3600.0


def test_a_delivery_arrives_signed_and_is_recorded(store: Store, receiver: Receiver) -> None:
    mine, theirs = owe(store, receiver.url("/a")), owe(store, receiver.url("/b"), "globex")
    with running_sender(store):
        eventually(lambda: [state_of(store, one) for one in (mine, theirs)] == ["delivered"] * 2)
    [request] = receiver.at("/a")
    secret = store.keys.webhook_secret("acme")
    assert request.verify(secret) == {"id": mine, "text": "你好"}
    assert request.id == mine
    assert attempts_of(store, mine) == [(1, 200, None)]
    receiver.at("/b")[0].verify(store.keys.webhook_secret("globex"))
    assert secret != store.keys.webhook_secret("globex")


def test_retries_keep_the_id_and_renew_the_time(store: Store, receiver: Receiver) -> None:
    path = "/then/500,hang,reset,200"
    mine = owe(store, receiver.url(path))
    # More than a second between attempts, so that the second's resolution shows it.
    with running_sender(store, deadline=1.2, retry=lambda attempt, answer: 1.05):
        eventually(lambda: state_of(store, mine) == "delivered")
    secret = store.keys.webhook_secret("acme")
    requests = receiver.at(path)
    assert [request.id for request in requests] == [mine] * 4
    assert len({request.body for request in requests}) == 1
    for request in requests:
        request.verify(secret)
    times = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert times == sorted(set(times))
    assert attempts_of(store, mine) == [
        (1, 500, "status 500"),
        (2, None, "no complete answer within 1.2 s"),
        (3, None, "the connection broke"),
        (4, 200, None),
    ]


def test_gone_stops_at_once_and_others_when_the_schedule_ends(
    store: Store, receiver: Receiver
) -> None:
    gone, failing = owe(store, receiver.url("/410")), owe(store, receiver.url("/redirect"))
    with running_sender(store):
        eventually(lambda: [state_of(store, one) for one in (gone, failing)] == ["exhausted"] * 2)
    assert len(receiver.at("/410")) == 1
    assert [status for _, status, _ in attempts_of(store, failing)] == [308] * 3
    assert receiver.at("/target") == []


def test_a_private_address_gets_no_connection(store: Store, receiver: Receiver) -> None:
    mine = owe(store, receiver.url("/hook"))
    with running_sender(store, allow_private=False):
        eventually(lambda: state_of(store, mine) == "exhausted")
    refused = "the host leads to an address that is not public"
    assert attempts_of(store, mine) == [(n, None, refused) for n in (1, 2, 3)]
    assert receiver.connections == 0


def test_no_error_holds_what_was_sent_or_received(store: Store, receiver: Receiver) -> None:
    mine = owe(store, receiver.url("/garbage/secret-path"))
    with running_sender(store):
        eventually(lambda: state_of(store, mine) == "exhausted")
    for _, _, error in attempts_of(store, mine):
        assert error == "the answer is not HTTP, or ended early"


def test_a_hanging_host_holds_up_nobody_else(store: Store, receiver: Receiver) -> None:
    hanging = [owe(store, receiver.url(f"/hang/{n}", "localhost")) for n in range(40)]
    healthy = [owe(store, receiver.url(f"/ok/{n}")) for n in range(40)]
    limits = SenderLimits(
        sending=6, held=30, claim=10, patience=0.3, grace=0.2, poll=0.05, lane=LaneLimits(width=3)
    )
    with running_sender(
        store, deadline=20.0, limits=limits, retry=lambda attempt, answer: SLOW_RETRY
    ):
        eventually(lambda: {state_of(store, one) for one in healthy} == {"delivered"})
        # No request has run into its deadline, so the healthy went past the hanging.
        assert all(attempts_of(store, one) == [] for one in hanging)
        seen = [request for request in receiver.received if request.path.startswith("/hang")]
        assert len(seen) <= limits.lane.width


def test_what_had_to_wait_is_given_back_without_an_attempt(
    store: Store, receiver: Receiver
) -> None:
    owe(store, receiver.url("/hang"))
    limits = SenderLimits(sending=1, patience=0.2, grace=0.1, poll=0.05)
    with running_sender(store, deadline=30.0, limits=limits):
        eventually(lambda: len(receiver.received) == 1)
        waiting = owe(store, receiver.url("/hook", "localhost"))
        eventually(lambda: fence_of(store, waiting) > 1)
    assert attempts_of(store, waiting) == []
    eventually(lambda: state_of(store, waiting) == "pending")
    assert store.deliveries.get("acme", waiting).attempt == 0


def test_a_dead_endpoint_is_left_alone_and_found_well_again(
    store: Store, receiver: Receiver
) -> None:
    path = "/then/" + "500," * 8 + "200"
    owed = [owe(store, receiver.url(path)) for _ in range(12)]
    lane = LaneLimits(width=2, breaker=BreakerLimits(failures=3, pause=3600.0))
    with running_sender(store, limits=SenderLimits(poll=0.05, lane=lane)):
        eventually(lambda: len(receiver.received) >= 3)
        other = owe(store, receiver.url("/hook", "localhost"))
        eventually(lambda: state_of(store, other) == "delivered")
        assert len(receiver.at(path)) <= 4  # one more was on the wire when it opened
    lane = LaneLimits(width=2, breaker=BreakerLimits(failures=3, pause=0.2))
    make_due(store)
    with running_sender(store, limits=SenderLimits(poll=0.05, patience=0.2, lane=lane)):
        eventually(lambda: {state_of(store, one) for one in owed} == {"delivered"})


def test_a_stop_leaves_what_hangs_to_its_lease(store: Store, receiver: Receiver) -> None:
    mine = owe(store, receiver.url("/then/hang,200"))
    limits = SenderLimits(patience=0.1, lease_slack=0.5, grace=0.1, poll=0.05)
    with running_sender(store, deadline=0.9, limits=limits):
        eventually(lambda: len(receiver.received) == 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    with running_sender(store, limits=limits):
        eventually(lambda: state_of(store, mine) == "delivered")
    assert [request.id for request in receiver.received] == [mine] * 2


KILLED = """
import asyncio, sys
from lepton_tasks.store.database import Database
from lepton_tasks.store.store import Store
from lepton_tasks.webhooks.client import WebhookClient
from lepton_tasks.webhooks.guard import EgressGuard
from lepton_tasks.webhooks.sender import Sender, SenderLimits

async def main():
    async with WebhookClient(EgressGuard(allow_private=True), 0.8, 4) as client:
        limits = SenderLimits(patience=0.1, lease_slack=0.1)
        await Sender(Store(Database(sys.argv[1])), client, 0.8, limits=limits).run()

asyncio.run(main())
"""


def test_a_killed_senders_claim_becomes_due_again(
    store: Store, database_url: str, receiver: Receiver
) -> None:
    mine = owe(store, receiver.url("/then/hang,200"))
    with subprocess.Popen([sys.executable, "-c", KILLED, database_url]) as process:
        try:
            eventually(lambda: len(receiver.received) == 1)
        finally:
            os.kill(process.pid, signal.SIGKILL)
    assert state_of(store, mine) == "sending"
    with running_sender(store):
        eventually(lambda: state_of(store, mine) == "delivered")
    assert [request.id for request in receiver.received] == [mine] * 2
    assert attempts_of(store, mine) == [(2, 200, None)]


def test_it_outlives_a_store_that_fails(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with running_sender(store, deadline=10.0):
        _rename(store, "deliveries", "away")
        eventually(lambda: "webhook sender" in caplog.text)
        _rename(store, "away", "deliveries")
        mine = owe(store, receiver.url("/hook"))
        eventually(lambda: state_of(store, mine) == "delivered")
    assert "webhook sender: working again" in caplog.text


def test_a_result_that_cannot_be_written_is_kept(
    store: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    mine = owe(store, receiver.url("/hook"))
    _rename(store, "delivery_attempts", "away")
    with running_sender(store):
        eventually(lambda: "recording of webhook attempts" in caplog.text)
        _rename(store, "away", "delivery_attempts")
        eventually(lambda: state_of(store, mine) == "delivered")
    assert len(receiver.received) == 1
    assert "你好" not in caplog.text


def test_a_wake_up_is_faster_than_the_poll(store: Store, receiver: Receiver) -> None:
    waits = []
    with running_sender(store, limits=SenderLimits()) as sender:
        for n in range(5):
            time.sleep(0.1)  # let the sender fall asleep
            begun = time.monotonic()
            mine = owe(store, receiver.url(f"/{200 + n}"))
            sender.wake()
            eventually(lambda mine=mine: state_of(store, mine) == "delivered")  # type: ignore[misc]
            waits.append(time.monotonic() - begun)
    assert min(waits) < 0.5


def _rename(store: Store, old: str, new: str) -> None:
    with store.database.write() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
