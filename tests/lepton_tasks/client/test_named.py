"""One task, as both clients of a scripted server call it."""

from __future__ import annotations

from typing import Any

import pytest

from lepton_tasks import Client
from lepton_tasks.client import (
    InvalidRequest,
    ItemError,
    JobFailed,
)
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Say, ScriptedServer


def test_an_input_that_could_not_be_computed_is_raised(client: Any, server: ScriptedServer) -> None:
    output = {"error": {"code": "encoding_failed", "message": "it cannot be read"}}
    server.say(Say(202, accepted("job_1")), Say(200, job("job_1", output=output)))
    with pytest.raises(JobFailed, match="it cannot be read"):
        client.run("noop", "x")


def test_a_result_is_waited_for(client: Any, server: ScriptedServer) -> None:
    server.say(
        Say(202, accepted("job_1", "succeeded")),  # found by its key: the answer has no result
        Say(200, job("job_1", "running")),
        Say(200, job("job_1", output={"characters": 2})),
    )
    assert client.run("noop", "你好") == {"characters": 2}
    assert [asked.path for asked in server.asked] == ["/v1/jobs", *["/v1/jobs/job_1"] * 2]
    assert server.asked[1].params == {"wait": "30.000"}


def test_many_are_submitted_in_chunks_with_keys_of_their_own(
    client: Any, server: ScriptedServer
) -> None:
    full = {"error": {"code": "backlog_full", "message": "later"}}
    server.say(
        Say(202, accepted("job_1")),
        *[Say(429, full, headers={"retry-after-ms": "1"})] * 5,  # room is waited for
        Say(202, accepted("job_2")),
    )
    taken: list[str] = []

    def texts() -> Any:
        for text in ("一", "二", "三"):
            taken.append(text)
            yield text

    handles = client.submit_many(
        "noop", texts(), chunk=2, idempotency_key="import", priority="bulk"
    )
    assert next(handles).id == "job_1"
    assert taken == ["一", "二"]
    assert [handle.id for handle in handles] == ["job_2"]
    assert [asked.json["inputs"] for asked in server.asked[::6]] == [["一", "二"], ["三"]]
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert keys == ["import:0", *["import:1"] * 6]


def outputs(*characters: int) -> list[dict[str, int]]:
    return [{"characters": one} for one in characters]


def test_answers_come_in_the_order_of_inputs_and_what_is_wrong_keeps_its_place(
    client: Any, server: ScriptedServer
) -> None:
    empty = {"error": {"code": "empty_text", "message": "inputs[1] is empty", "param": "inputs[1]"}}
    server.say(
        Say(202, accepted("job_1")),
        Say(422, empty),
        Say(202, accepted("job_2")),
        Say(200, job("job_1", outputs=outputs(1, 2))),
        Say(422, empty | {"error": empty["error"] | {"param": "inputs[0]"}}),
        Say(200, job("job_2", "failed", error={"code": "crashed", "message": "its worker died"})),
    )
    found = list(client.map("noop", ["1", "22", "3", "", ""], chunk=2, window=2))
    assert found == [
        *outputs(1, 2),
        ItemError("crashed", "its worker died"),
        ItemError("empty_text", "inputs[1] is empty"),
        ItemError("empty_text", "inputs[1] is empty"),
    ]
    assert [asked.json["inputs"] for asked in server.asked if asked.method == "POST"] == [
        ["1", "22"],
        ["3", ""],
        ["3"],
        [""],
    ]


def test_whoever_stops_early_cancels_what_is_under_way(client: Any, server: ScriptedServer) -> None:
    server.say(
        Say(202, accepted("job_1")),
        Say(202, accepted("job_2")),
        Say(202, accepted("job_3")),
        Say(200, job("job_1", outputs=outputs(1, 1))),
        Say(200, job("job_2", "cancelled")),
        Say(409, {"error": {"code": "x", "message": "it cannot be"}}),
    )
    answers = client.map("noop", ["1"] * 100, chunk=2, window=3)
    assert next(answers) == {"characters": 1}
    answers.close()
    assert [asked.path for asked in server.asked[4:]] == [
        "/v1/jobs/job_2/cancel",
        "/v1/jobs/job_3/cancel",
    ]


def test_a_source_that_raises_ends_it_all(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")), Say(200, job("job_1", "cancelled")))

    def texts() -> Any:
        yield "一"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(client.map("noop", texts(), chunk=1))
    assert server.asked[-1].path == "/v1/jobs/job_1/cancel"


def test_a_request_that_is_wrong_as_a_whole_is_raised(client: Any, server: ScriptedServer) -> None:
    wrong = {"error": {"code": "invalid_option", "message": "no such", "param": "options.x"}}
    server.say(Say(422, wrong))
    with pytest.raises(InvalidRequest, match="no such"):
        list(client.map("noop", ["一"], options={"x": 1}))


@pytest.mark.parametrize("key", [None, "order-7"])
def test_a_job_that_nobody_knows_any_more_is_cancelled(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    server.say(
        Say(202, accepted("job_1")),
        Say(200, job("job_1", "running")),
        Say(200, job("job_1", "cancelled")),
    )

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    with Client(server.url, "lpt_test") as client, pytest.raises(KeyboardInterrupt):
        client.run("noop", "你好", idempotency_key=key)
    paths = [asked.path for asked in server.asked[2:]]
    assert paths == (["/v1/jobs/job_1/cancel"] if key is None else [])
