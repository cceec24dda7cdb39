"""Jobs by their ids, by both clients of a scripted server."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.client import (
    StillWaiting,
)
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Say, ScriptedServer


def test_a_wait_ends_in_time(client: Any, server: ScriptedServer) -> None:
    server.say(*[Say(200, job("job_1", "running"))] * 20)
    with pytest.raises(StillWaiting, match="job_1") as caught:
        client.jobs.wait("job_1", timeout=0.05)
    assert caught.value.ids == ("job_1",)
    assert isinstance(caught.value, TimeoutError)


def test_jobs_are_yielded_as_they_end(client: Any, server: ScriptedServer) -> None:
    server.say(*[Say(202, accepted(f"job_{number}")) for number in (1, 2, 3)])
    handles = [client.submit("noop", text) for text in ("一", "二", "三")]
    server.say(
        Say(200, job("job_1", "running")),
        Say(200, job("job_2", output={"characters": 1})),
        Say(200, job("job_3", "running")),
        Say(200, job("job_1", output={"characters": 1})),
        Say(200, job("job_3", "failed", error={"code": "c", "message": "m"})),
    )
    ended = list(client.jobs.as_completed(handles))
    assert [(one.id, one.state) for one in ended] == [
        ("job_2", "succeeded"),
        ("job_1", "succeeded"),
        ("job_3", "failed"),
    ]
    assert ended[0].result() == {"characters": 1}
    assert len(server.asked) == 8
    assert float(server.asked[3].params["wait"]) == pytest.approx(1 / 3, abs=0.01)
    assert [one.id for one in client.jobs.as_completed(handles)] == ["job_1", "job_2", "job_3"]


def test_what_does_not_end_in_time_is_named(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")), *[Say(200, job("job_1", "running"))] * 500)
    handle = client.submit("noop", "一")
    with pytest.raises(StillWaiting) as caught:
        list(client.jobs.as_completed([handle], timeout=0.03))
    assert caught.value.ids == ("job_1",)


def test_a_list_reads_pages_as_they_are_needed(client: Any, server: ScriptedServer) -> None:
    page = {"object": "list", "first_id": None}
    server.say(
        Say(
            200, page | {"data": [job("job_3"), job("job_2")], "last_id": "job_2", "has_more": True}
        ),
        Say(200, page | {"data": [job("job_1", output=7)], "last_id": "job_1", "has_more": False}),
    )
    found = list(client.jobs.list(task="noop", state="succeeded"))
    assert [one.id for one in found] == ["job_3", "job_2", "job_1"]
    assert found[2].result() == 7
    assert server.asked[0].params == {"limit": "100", "task": "noop", "state": "succeeded"}
    assert server.asked[1].params["after"] == "job_2"
