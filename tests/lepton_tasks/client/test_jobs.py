"""Operations on jobs, by both clients of a scripted server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lepton_tasks.client import (
    InvalidRequest,
    ItemError,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    StillWaiting,
)
from lepton_tasks.client.calling import Caller
from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import Pause, Send
from lepton_tasks.client.jobs import JobSteps, check_chunk, submission
from lepton_tasks.client.messages import Response
from lepton_tasks.errors import InvalidInput
from lepton_tasks.nlp.moderation import ModerationOptions
from lepton_tasks.nlp.similarity import Pair
from tests.support.job_bodies import accepted, job
from tests.support.scripted_http import Say, ScriptedServer


def test_everything_a_job_may_have_is_sent(client: Any, server: ScriptedServer) -> None:
    server.say(Say(202, accepted("job_1")))
    handle = client.submit(
        "moderation",
        "你好",
        options=ModerationOptions(block_at=0.8),
        priority="bulk",
        ttl_seconds=60,
        run_at=datetime(2030, 1, 2, tzinfo=UTC),
        webhook="https://example.test/hook",
        metadata={"order": "7"},
        idempotency_key="order-7",
    )
    assert (handle.id, handle.state, handle.ended) == ("job_1", "queued", False)
    assert "job_1" in repr(handle.target if hasattr(handle, "target") else handle)
    [asked] = server.asked
    assert asked.headers["idempotency-key"] == "order-7"
    assert asked.json == {
        "task": "moderation",
        "input": "你好",
        "options": {"block_at": 0.8},
        "priority": "bulk",
        "ttl_seconds": 60,
        "run_at": "2030-01-02T00:00:00+00:00",
        "webhook": "https://example.test/hook",
        "metadata": {"order": "7"},
    }


def test_inputs_that_are_more_than_a_text() -> None:
    pair = {"text": "a", "other": "b"}
    assert submission("similarity", Pair(**pair)).json["input"] == pair
    messages = [{"role": "user", "content": "你好"}]
    for dialogue in ("你好", messages, {"messages": messages}):
        assert submission("chat", dialogue).json["input"] == {"messages": messages}
    assert submission("noop", inputs=["一", "two"]).json == {
        "task": "noop",
        "inputs": ["一", "two"],
    }


def test_a_result_is_waited_for(client: Any, server: ScriptedServer) -> None:
    server.say(
        Say(202, accepted("job_1", "succeeded")),  # found by its key: the answer has no result
        Say(200, job("job_1", "running")),
        Say(200, job("job_1", output={"characters": 2})),
    )
    assert client.run("noop", "你好") == {"characters": 2}
    assert [asked.path for asked in server.asked] == ["/v1/jobs", *["/v1/jobs/job_1"] * 2]
    assert server.asked[1].params == {"wait": "30.000"}


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


def test_an_input_that_could_not_be_computed_is_raised(client: Any, server: ScriptedServer) -> None:
    output = {"error": {"code": "encoding_failed", "message": "it cannot be read"}}
    server.say(Say(202, accepted("job_1")), Say(200, job("job_1", output=output)))
    with pytest.raises(JobFailed, match="it cannot be read"):
        client.run("noop", "x")


def test_a_wait_ends_in_time(client: Any, server: ScriptedServer) -> None:
    server.say(*[Say(200, job("job_1", "running"))] * 20)
    with pytest.raises(StillWaiting, match="job_1") as caught:
        client.jobs.wait("job_1", timeout=0.05)
    assert caught.value.ids == ("job_1",)
    assert isinstance(caught.value, TimeoutError)


def test_a_server_that_answers_a_wait_at_once_is_not_asked_without_end() -> None:
    steps = JobSteps(Caller(Configuration("http://a.test", "k"))).wait("job_1", None)
    effect = next(steps)
    assert isinstance(effect, Send)
    assert effect.request.patience == 30
    body = b'{"id":"job_1","task":"t","state":"running","priority":"normal","created_at":1}'
    assert isinstance(steps.send(Response(200, {}, body)), Pause)
    assert isinstance(steps.send(None), Send)


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
    server.say(Say(202, accepted("job_1")), *[Say(200, job("job_1", "running"))] * 50)
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


@pytest.mark.parametrize(("chunk", "window"), [(0, 1), (257, 1), (1, 0)])
def test_sizes_that_no_job_has(chunk: int, window: int) -> None:
    with pytest.raises(InvalidInput, match=r"chunk|window"):
        check_chunk(chunk, window)
