"""A text that is followed: pieces as they come, and what a client sees when it goes wrong."""

from __future__ import annotations

import logging
import queue
import socket
import threading
from typing import Any

import httpx
import orjson
import pytest

from api import middleware
from api.openai import answering
from lepton_tasks.states import JobState
from tests.api.openai.conftest import Desk, Writer
from tests.support.sending import PATIENCE_SECONDS

BODY = orjson.dumps(
    {
        "messages": [{"role": "user", "content": "零"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
)
WRITTEN = {
    "message": {"role": "assistant", "content": "一 two three"},
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 2, "completion_tokens": 3},
}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.store.leases.register("w2", "w2@test", ["chat"], 600)
    return desk


class Reader:
    """A client that reads on a thread: the first piece decides the status of its answer."""

    def __init__(self, desk: Desk, sent: int = 0) -> None:
        self._desk = desk
        self._sent = sent
        self._events: queue.Queue[Any] = queue.Queue()
        self.response: httpx.Response
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def next(self) -> Any:
        return self._events.get(timeout=PATIENCE_SECONDS)

    def rest(self) -> list[Any]:
        self._thread.join(PATIENCE_SECONDS)
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def _read(self) -> None:
        with httpx.stream(
            "POST",
            f"{self._desk.url}/v1/chat/completions",
            content=BODY,
            headers=self._desk.headers(self._sent),
            timeout=60,
        ) as self.response:
            for line in filter(None, self.response.iter_lines()):
                data = line.removeprefix("data: ")
                self._events.put(data if data == "[DONE]" else orjson.loads(data))


def test_pieces_come_in_order_and_what_was_lost_from_the_store(desk: Desk, writer: Writer) -> None:
    reader = Reader(desk)
    writer.begin()
    writer.say(0, "一 ")
    writer.say(2, "three")
    writer.end(WRITTEN)
    events = reader.rest()
    assert reader.response.headers["content-type"].startswith("text/event-stream")
    assert events.pop() == "[DONE]"
    usage = events.pop()
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 5)
    assert all(event["usage"] is None for event in events)
    assert (
        "".join(event["choices"][0]["delta"].get("content", "") for event in events)
        == "一 two three"
    )
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_what_fails_before_a_piece_has_a_status(desk: Desk, writer: Writer) -> None:
    reader = Reader(desk)
    writer.begin()
    writer.end(None, {"code": "context_exceeded", "message": "too long"})
    [event] = reader.rest()
    assert reader.response.status_code == 400
    assert event["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("anew", [False, True])
def test_what_fails_after_a_piece_is_told_in_the_stream(
    desk: Desk, writer: Writer, anew: bool
) -> None:
    reader = Reader(desk)
    writer.begin()
    writer.say(0, "zero ")
    assert reader.next()["choices"][0]["delta"]["content"] == "zero "
    if anew:
        writer.end(WRITTEN)  # which does not begin with what was streamed
    else:
        writer.end(None, {"code": "model_error", "message": "the model raised E"})
    events = reader.rest()
    assert reader.response.status_code == 200
    assert events[-1]["error"]["code"] == ("stream_broken" if anew else "model_error")
    assert events[-1]["error"]["type"] == "server_error"
    assert "[DONE]" not in events


def test_who_leaves_before_the_first_piece_ends_the_job(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.1)
    with desk.asking(BODY, "/v1/chat/completions") as (_, job_id):
        pass
    assert desk.job(JobState.CANCELLED).id == job_id


def test_who_comes_back_follows_the_job_that_was_left(desk: Desk, writer: Writer) -> None:
    with desk.asking(BODY, "/v1/chat/completions") as (_, job_id):
        reader = Reader(desk, sent=1)
        desk.until(lambda: desk.sendings() == [1] or None)
    writer.begin()
    writer.say(0, "一 two three")
    writer.end(WRITTEN)
    names = {event["id"] for event in reader.rest()[:-1]}
    assert names == {job_id.replace("job_", "chatcmpl_")}


def test_who_takes_nothing_any_more_ends_the_job(
    desk: Desk,
    writer: Writer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "api")
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(middleware, "STALL_SECONDS", 0.5)
    with desk.asking(BODY, "/v1/chat/completions") as (link, job_id):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        writer.begin()
        for index in range(24):  # more than what the two ends of a connection keep
            writer.say(index, "x" * 524_288)
        desk.until(lambda: desk.store.jobs.get("acme", job_id).cancel_requested or None)
    assert "POST /v1/chat/completions 499 " in caplog.text
    assert not [one for one in caplog.records if one.name.startswith("api") and one.levelno > 20]


def test_a_task_without_a_worker_has_a_status(desk: Desk) -> None:
    desk.store.leases.end("w2")
    reader = Reader(desk)
    [event] = reader.rest()
    assert (reader.response.status_code, event["error"]["code"]) == (503, "no_worker")
