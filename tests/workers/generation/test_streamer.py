"""Texts reach their readers from a thread of its own, whole, bounded, and in order."""

from __future__ import annotations

import threading

import pytest
import redis

from lepton_tasks.broker.chunks import MOST_CHARACTERS, StoredText
from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.streams import TextStream
from lepton_tasks.nlp.generating import GenerationSpec
from tests.support.models import SENTENCES
from tests.workers.generation.conftest import LIMITS
from workers.generation import streamer as streaming
from workers.generation.generator import Generator
from workers.generation.model import DecoderModel
from workers.generation.requests import Generation, GenerationRequest
from workers.generation.streamer import Streamer


def not_yet() -> StoredText | None:
    return None


def test_a_text_is_followed_while_it_is_generated(redis_url: str, llama: DecoderModel) -> None:
    client = connect(redis_url, 5.0)
    streamer = Streamer(client)
    streamer.start()
    generator = Generator(llama, LIMITS)
    generator.start()
    writer = streamer.open("job_1", fence=3)
    outcomes: list[Generation] = []

    def on_done(outcome: Generation | Exception) -> None:
        assert isinstance(outcome, Generation)
        outcomes.append(outcome)
        writer.end(outcome.finish_reason)

    prompt = llama.tokenizer.encode(SENTENCES[4]).ids
    request = GenerationRequest("a", prompt, GenerationSpec(max_new_tokens=60))
    with TextStream(client, "job_1", not_yet) as stream:
        generator.submit(request, on_done, writer.text)
        pieces = list(stream)
    generator.stop()
    streamer.close()
    assert "".join(pieces) == outcomes[0].text
    assert stream.finish_reason == "length"


def test_pieces_that_wait_go_together_and_long_ones_are_cut(redis_url: str) -> None:
    client = connect(redis_url, 5.0)
    streamer = Streamer(client)
    writer = streamer.open("job_1", fence=1)
    for piece in ("你", "好", "." * (MOST_CHARACTERS + 5)):
        writer.text(piece)
    writer.end("stop")
    with TextStream(client, "job_1", not_yet) as stream:
        streamer.start()
        pieces = list(stream)
    streamer.close()
    assert [len(piece) for piece in pieces] == [MOST_CHARACTERS, 7]
    assert pieces[0].startswith("你好...")


def test_what_does_not_fit_is_dropped_and_known_to_be(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_PIECES", 3)
    client = connect(redis_url, 5.0)
    streamer = Streamer(client)
    writer = streamer.open("job_1", fence=1)
    for piece in ("one ", "two ", "three ", "four"):
        writer.text(piece)
    writer.end("stop")
    stored = StoredText("one two three FOUR", "stop")
    with TextStream(client, "job_1", lambda: stored, poll_seconds=0.5) as stream:
        streamer.start()
        assert "".join(stream) == stored.text
    streamer.close()


def test_a_redis_that_hangs_does_not_hold_up_who_writes() -> None:
    hangs, release = threading.Event(), threading.Event()

    class Hanging(redis.Redis):
        def pipeline(self, *_: object, **__: object) -> redis.client.Pipeline:
            hangs.set()
            release.wait(60)
            raise redis.ConnectionError

    streamer = Streamer(Hanging())
    streamer.start()
    writer = streamer.open("job_1", fence=1)
    writer.text("x")
    assert hangs.wait(60)
    for _ in range(streaming.MOST_PIECES + 1):
        writer.text("x")
    assert writer.dropped
    release.set()
    streamer.close()
