"""Handles of jobs, of both clients of a scripted server."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks.client import (
    ItemError,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
)
from lepton_tasks.errors import InvalidInput
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Say, ScriptedServer


def test_results_of_several_inputs(client: Any, server: ScriptedServer) -> None:
    error = {"error": {"code": "encoding_failed", "message": "it cannot be read"}}
    server.say(
        Say(202, accepted("job_1")),
        Say(200, job("job_1", outputs=[{"characters": 2}, error])),
    )
    handle = client.submit("noop", inputs=["你好", "\x00"])
    wrong = ItemError("encoding_failed", "it cannot be read")
    assert handle.results() == [{"characters": 2}, wrong]
    assert handle.results() == [{"characters": 2}, wrong]  # and asks no more
    with pytest.raises(InvalidInput, match="results"):
        handle.result()


@pytest.mark.parametrize(
    ("state", "error", "kind", "code"),
    [
        ("failed", {"code": "out_of_memory", "message": "no memory"}, JobFailed, "out_of_memory"),
        ("dead", {"code": "crashed", "message": "its worker died"}, JobFailed, "crashed"),
        ("cancelled", None, JobCancelled, "cancelled"),
        ("expired", None, JobExpired, "expired"),
    ],
)
def test_a_job_without_a_result_says_why(
    client: Any, server: ScriptedServer, state: str, error: Any, kind: type[JobEnded], code: str
) -> None:
    server.say(Say(200, job("job_1", state, error=error)))
    handle = client.jobs.get("job_1")
    with pytest.raises(kind, match="job_1") as caught:
        handle.result()
    assert (caught.value.job_id, caught.value.code) == ("job_1", code)


def test_a_job_is_cancelled_redriven_and_deleted(client: Any, server: ScriptedServer) -> None:
    server.say(
        Say(200, job("job_1", "dead")),
        Say(200, job("job_1", "queued")),
        Say(200, job("job_1", "cancelled")),
        Say(200, {"id": "job_1", "object": "job", "deleted": True}),
    )
    handle = client.jobs.get("job_1")
    assert handle.redrive().state == "queued"
    assert handle.cancel().state == "cancelled"
    handle.delete()
    server.say(
        Say(200, job("job_2", "cancelled")),
        Say(200, job("job_2", "queued")),
        Say(200, {}),
        Say(200, job("job_2")),
    )
    assert client.jobs.cancel("job_2").state == "cancelled"
    assert client.jobs.redrive("job_2").state == "queued"
    assert client.jobs.delete("job_2") is None
    assert client.jobs.get("job_2").refresh is not None
    assert [f"{asked.method} {asked.path}" for asked in server.asked[1:7]] == [
        "POST /v1/jobs/job_1/redrive",
        "POST /v1/jobs/job_1/cancel",
        "DELETE /v1/jobs/job_1",
        "POST /v1/jobs/job_2/cancel",
        "POST /v1/jobs/job_2/redrive",
        "DELETE /v1/jobs/job_2",
    ]
