"""Calls over a real socket, by both clients: what is sent again, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks import Client
from lepton_tasks.client import InvalidRequest, NoConnection, ServerFault, TooMuch, UnexpectedAnswer
from tests.support.scripted_http import HANG_UP, Say, ScriptedServer

LATER = Say(
    429, {"error": {"code": "backlog_full", "message": "later"}}, headers={"retry-after-ms": "1"}
)


@pytest.mark.parametrize("trouble", [HANG_UP, LATER, Say(503), Say(408), Say(500, cut=True)])
def test_what_may_pass_is_sent_again_with_the_same_key(
    client: Any, server: ScriptedServer, trouble: Say, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lepton_tasks.client")
    server.say(trouble, trouble, Say(200, {"id": "corpus_1"}))
    made = client.request("POST", "/v1/corpora", json={"name": "手册"})
    assert made == {"id": "corpus_1"}
    assert [asked.json for asked in server.asked] == [{"name": "手册"}] * 3
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert [asked.headers.get("x-stainless-retry-count") for asked in server.asked] == [
        None,
        "1",
        "2",
    ]
    said = [one.getMessage() for one in caplog.records if one.name == "lepton_tasks.client.calling"]
    assert len(said) == 2
    assert said[0].startswith("a POST is sent again in 0.0 s: ")


def test_each_call_has_a_key_of_its_own_and_that_of_the_tenant(
    client: Any, server: ScriptedServer
) -> None:
    server.say(Say(200, {}), Say(200, {}), Say(200, {}))
    client.request("POST", "/v1/corpora", json={})
    client.request("POST", "/v1/corpora", json={})
    client.request("GET", "/v1/corpora", params={"limit": 5, "after": None})
    first, second, third = server.asked
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert "idempotency-key" not in third.headers
    assert third.params == {"limit": "5"}
    assert {asked.headers["authorization"] for asked in server.asked} == {"Bearer lpt_test"}
    assert first.headers["user-agent"].startswith("lepton-tasks/")


def test_what_does_not_pass_is_raised_at_last(client: Any, server: ScriptedServer) -> None:
    server.say(HANG_UP, HANG_UP, HANG_UP)
    with pytest.raises(NoConnection):
        client.tasks()
    server.say(*[Say(500, {"error": {"code": "internal_error", "message": "our side"}})] * 3)
    with pytest.raises(ServerFault, match="our side"):
        client.tasks()
    assert len(server.asked) == 6


def test_what_would_fail_again_is_sent_once(client: Any, server: ScriptedServer) -> None:
    wrong = {"error": {"code": "unknown_task", "message": "no such task", "param": "task"}}
    server.say(
        Say(422, wrong, headers={"x-request-id": "req_9"}),
        Say(504, wrong, headers={"x-should-retry": "false"}),
        Say(429, wrong, headers={"retry-after": "600"}),
        Say(200, body=b"<html>"),
    )
    with pytest.raises(InvalidRequest, match="no such task") as caught:
        client.tasks()
    assert (caught.value.code, caught.value.param) == ("unknown_task", "task")
    assert caught.value.request_id == "req_9"
    with pytest.raises(ServerFault):
        client.tasks()
    with pytest.raises(TooMuch) as later:
        client.tasks()
    assert later.value.retry_after == 600
    with pytest.raises(UnexpectedAnswer, match="base_url"):
        client.tasks()
    assert len(server.asked) == 4


def test_a_client_without_retries_sends_once(server: ScriptedServer) -> None:
    server.say(HANG_UP)
    with Client(server.url, "lpt_test", max_retries=0) as client, pytest.raises(NoConnection):
        client.tasks()
    assert len(server.asked) == 1


def test_nobody_listens(quick: None) -> None:
    with Client("http://127.0.0.1:1", "lpt_test") as client, pytest.raises(NoConnection):
        client.tasks()


@pytest.mark.parametrize("said", [[], {"data": 1}, {"data": [{"id": 5}]}])
def test_what_has_another_shape_is_told_without_quoting_it(
    client: Any, server: ScriptedServer, said: Any
) -> None:
    server.say(Say(200, said), Say(200, {"id": "my secret"}))
    with pytest.raises(UnexpectedAnswer):
        client.tasks()
    with pytest.raises(UnexpectedAnswer, match="base_url") as caught:
        client.jobs.get("job_1")
    assert "my secret" not in f"{caught.value!r} {caught.value.__cause__}"
