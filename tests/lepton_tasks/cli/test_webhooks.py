"""Endpoints and deliveries from the command line, with a real sender and a real receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial

import pytest

from lepton_tasks.cli.webhooks import app
from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.store.store import Store
from tests.support.cli import run_command
from tests.support.endpoints import subscribe
from tests.support.receiver import Receiver, running_receiver
from tests.support.sending import eventually, owe, running_sender, state_of

run = partial(run_command, app)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def test_endpoints_and_deliveries_are_listed_newest_first(store: Store) -> None:
    assert "There are none." in run("list").stderr
    first, second = [subscribe(store, tenant="default", name=f"第{n}") for n in (1, 2)]
    subscribe(store, tenant="globex")
    lines = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [line[:3] + line[4:] for line in lines] == [
        [one.id, "active", one.url, one.name] for one in (second, first)
    ]
    owed = [owe(store, first.url, "default", first.id) for _ in range(3)]
    shown = run("list", "--endpoint", first.id, "--limit", "2")
    assert [line.split("\t")[0] for line in shown.stdout.splitlines()] == owed[:0:-1]
    assert "raise --limit above 2" in shown.stderr
    told = run("list", "--endpoint", first.id, "--state", "pending", "--json").stdout
    assert [json.loads(line)["event_type"] for line in told.splitlines()] == ["job.succeeded"] * 3
    assert run("list", "--endpoint", first.id, "--state", "exhausted").stdout == ""
    with pytest.raises(NotFound):
        run("list", "--endpoint", first.id, "--tenant", "globex")
    with pytest.raises(InvalidInput, match="--endpoint"):
        run("list", "--state", "pending")


def test_what_did_not_arrive_is_sent_again_once(store: Store, receiver: Receiver) -> None:
    path = "/then/" + "500," * 6 + "200"  # two deliveries, three attempts each
    endpoint = subscribe(store, receiver.url(path), "default")
    begun = time.time() - 60
    with running_sender(store):
        owed = [owe(store, endpoint.url, "default", endpoint.id) for _ in range(2)]
        eventually(lambda: [state_of(store, one) for one in owed] == ["exhausted"] * 2)
        told = run("replay", "--endpoint", endpoint.id, "--since", str(begun))
        assert "2 deliveries" in told.stderr
        eventually(lambda: [state_of(store, one) for one in owed] == ["delivered"] * 2)
        again = run("replay", "--endpoint", endpoint.id, "--since", str(begun))
        assert "0 deliveries" in again.stderr
        assert len(receiver.received) == 8
        run("replay", owed[0])
        eventually(lambda: len(receiver.received) == 9)
        assert receiver.received[-1].id == owed[0]
        options = ("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00+08:00")
        assert "0 deliveries" in run("replay", "--endpoint", endpoint.id, *options).stderr


def test_a_test_event_says_what_the_receiver_answers(store: Store, receiver: Receiver) -> None:
    well = subscribe(store, receiver.url("/hook"), "default")
    ill = subscribe(store, receiver.url("/500"), "default")
    with running_sender(store):
        good, bad = run("test", well.id), run("test", ill.id, "--event-type", "batch.completed")
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert good.stdout.split("\t")[1::2] == ["status 200", "delivered\n"]
    assert bad.stdout.split("\t")[1::2] == ["status 500", "status 500\n"]
    [request] = receiver.at("/hook")
    assert json.loads(request.body)["data"]["test"] is True
    nobody = run("test", well.id, "--wait", "0.1")
    assert nobody.exit_code == 1
    assert "is `lepton io` running?" in nobody.stderr
    store.endpoints.disable("default", well.id)
    with pytest.raises(Conflict, match="disabled"):
        run("test", well.id)


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        (["replay"], "--endpoint"),
        (["replay", "evt_1", "--endpoint", "ep_1"], "--endpoint"),
        (["replay", "--endpoint", "ep_1"], "--since"),
        (["replay", "evt_1", "--delivered"], "--since"),
        (["replay", "--endpoint", "ep_1", "--since", "yesterday"], "--since"),
        (["replay", "--endpoint", "ep_1", "--since", "2026-01-01T00:00:00"], "--since"),
        (["test", "ep_1", "--event-type", "job.gone"], "--event-type"),
    ],
)
def test_wrong_options_are_named(store: Store, arguments: list[str], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        run(*arguments)
    assert caught.value.param == param
