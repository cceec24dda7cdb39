"""Following a text over a real Redis, on a thread and on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import pytest
import redis
import redis.asyncio

from lepton_tasks.broker.chunks import Chunk, StoredText, StreamBroken
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.streams import AsyncTextStream, TextStream, channel, publish
from lepton_tasks.launcher.ports import free_port

SOON = 0.2
LATE = 60.0
"""When the store is asked: in tests that need it, and in those where every chunk comes."""
Stored = Callable[[], StoredText | None]
Seen = tuple[list[str], str | None]


class Follow(Protocol):
    """Follows the text of job_1; ``during`` runs when the reader listens."""

    def __call__(
        self, url: str, stored: Stored, during: Callable[[], None], poll: float
    ) -> Seen: ...


def by_thread(url: str, stored: Stored, during: Callable[[], None], poll: float) -> Seen:
    with TextStream(connect(url, 5.0), "job_1", stored, poll_seconds=poll) as stream:
        during()
        return list(stream), stream.finish_reason


def by_loop(url: str, stored: Stored, during: Callable[[], None], poll: float) -> Seen:
    async def ask() -> StoredText | None:
        return stored()

    async def follow() -> Seen:
        client = redis.asyncio.Redis.from_url(url)
        async with AsyncTextStream(client, "job_1", ask, poll_seconds=poll) as stream:
            during()
            pieces = [piece async for piece in stream]
        await client.aclose()
        return pieces, stream.finish_reason

    return asyncio.run(follow())


@pytest.fixture(params=[by_thread, by_loop])
def follow(request: pytest.FixtureRequest) -> Follow:
    found: Follow = request.param
    return found


def never() -> StoredText | None:
    raise AssertionError("the store was asked although every chunk came")


def send(url: str, chunks: Iterable[Chunk]) -> Callable[[], None]:
    return lambda: publish(connect(url, 5.0), [(channel("job_1"), one) for one in chunks])


def numbered(pieces: Sequence[str], end: str = "stop") -> list[Chunk]:
    chunks = [Chunk(1, index, piece) for index, piece in enumerate(pieces)]
    return [*chunks, Chunk(1, len(chunks), "", end)]


def test_pieces_come_in_order_up_to_the_end(redis_url: str, follow: Follow) -> None:
    pieces = ["今天", "天气", " is ", "☕"]
    assert follow(redis_url, never, send(redis_url, numbered(pieces, "length")), LATE) == (
        pieces,
        "length",
    )


def test_what_was_missed_comes_from_the_store(redis_url: str, follow: Follow) -> None:
    answers = iter([None, StoredText("one two three", "stop")])
    chunks = numbered(["one ", "two ", "three"])
    del chunks[1]
    seen = follow(redis_url, lambda: next(answers), send(redis_url, chunks), SOON)
    assert ("".join(seen[0]), seen[1]) == ("one two three", "stop")


def test_a_job_that_ends_without_a_chunk_is_noticed(redis_url: str, follow: Follow) -> None:
    answers = iter([None, None, StoredText(None, "cancelled")])
    seen = follow(redis_url, lambda: next(answers), lambda: None, SOON)
    assert seen == ([], "cancelled")


def test_a_text_that_was_begun_anew_is_an_error(redis_url: str, follow: Follow) -> None:
    chunks = [Chunk(1, 0, "one "), Chunk(2, 0, "another")]
    with pytest.raises(StreamBroken):
        follow(redis_url, lambda: StoredText("another", "stop"), send(redis_url, chunks), 1.0)


def test_messages_of_others_do_no_harm(redis_url: str, follow: Follow) -> None:
    def during() -> None:
        connect(redis_url, 5.0).publish(channel("job_1"), b"not ours")
        send(redis_url, numbered(["text"]))()

    assert follow(redis_url, never, during, LATE) == (["text"], "stop")


def test_without_redis_the_store_has_the_text(follow: Follow) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    publish(connect(url, 0.2), [(channel("job_1"), Chunk(1, 0, "lost"))])
    seen = follow(url, lambda: StoredText("whole", "stop"), lambda: None, SOON)
    assert seen == (["whole"], "stop")
