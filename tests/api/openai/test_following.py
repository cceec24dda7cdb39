"""A text that is followed: pieces as they come, and what a client sees when it goes wrong."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import redis

from api.openai import answering
from lepton_tasks.broker.chunks import Chunk
from lepton_tasks.broker.streams import channel, publish
from lepton_tasks.broker.wakeups import announce
from lepton_tasks.jobs import ClaimedJob, FinishedJob
from lepton_tasks.settings import Settings
from lepton_tasks.states import JobState
from tests.api.openai.conftest import Desk
from tests.support.sending import PATIENCE_SECONDS

MESSAGES = [{"role": "user", "content": "零"}]
WRITTEN = {
    "message": {"role": "assistant", "content": "一 two three"},
    "finish_reason": "stop",
    "usage": {"prompt_tokens": 2, "completion_tokens": 3},
}


class Writer:
    """The worker's side of one job that streams."""

    def __init__(self, desk: Desk, client: redis.Redis) -> None:
        self._desk = desk
        self._redis = client
        self.claim: ClaimedJob

    def begin(self) -> None:
        [self.claim] = self._desk.store.claims.claim("w1", [self._desk.job(JobState.QUEUED).id])

    def say(self, index: int, text: str, fence: int = 1) -> None:
        publish(self._redis, [(channel(self.claim.id), Chunk(fence, index, text))])

    def end(self, result: dict[str, Any] | None, error: dict[str, str] | None = None) -> None:
        stored = {"model": {"name": "m", "revision": "r"}, "outputs": [result]}
        done = FinishedJob(
            self.claim,
            None if result is None else orjson.dumps(stored).decode(),
            None if error is None else orjson.dumps(error).decode(),
        )
        assert self._desk.store.claims.finish([done])
        announce(self._redis, [self.claim.id])


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.store.leases.register("w2", "w2@test", ["chat"], 600)
    return desk


@pytest.fixture
def writer(desk: Desk, settings: Settings) -> Iterator[Writer]:
    with redis.Redis.from_url(settings.redis_url) as client:
        yield Writer(desk, client)


class Reader:
    """A client that reads on a thread: the first piece decides the status of its answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
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
            json={"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}},
            headers={"authorization": f"Bearer {self._desk.key}"},
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
    with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=1.0) as client:
        client.post(
            f"{desk.url}/v1/chat/completions",
            json={"messages": MESSAGES, "stream": True},
            headers={"authorization": f"Bearer {desk.key}"},
        )
    assert desk.job(JobState.CANCELLED).task == "chat"


def test_a_task_without_a_worker_has_a_status(desk: Desk) -> None:
    desk.store.leases.end("w2")
    reader = Reader(desk)
    [event] = reader.rest()
    assert (reader.response.status_code, event["error"]["code"]) == (503, "no_worker")
