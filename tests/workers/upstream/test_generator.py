"""Texts of an upstream: side by side, within a bound, cancelled, given back, and its faults."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator

import pytest

from lepton_tasks.launcher.ports import free_port
from lepton_tasks.nlp.generating import GenerationInput, GenerationSpec
from tests.support.upstream import Upstream, upstream
from workers.errors import TemporaryFailure
from workers.generation.requests import FinishReason, Generation
from workers.generation.writing import Written
from workers.upstream.errors import UpstreamBroken, UpstreamMisconfigured, UpstreamRefused
from workers.upstream.generator import UpstreamGenerator
from workers.upstream.options import UpstreamOptions
from workers.upstream.requests import UpstreamRequest

PATIENCE = 60.0


class Bench:
    def __init__(self, server: Upstream, concurrency: int = 2) -> None:
        self.server = server
        options = UpstreamOptions(
            url=server.url, model="large", timeout=PATIENCE, concurrency=concurrency
        )
        self.generator = UpstreamGenerator("ours", options, "sk-secret", lambda: self.fresh)
        self.fresh = True
        self.done: queue.Queue[tuple[str, Written | Exception]] = queue.Queue()
        self.pieces: queue.Queue[str] = queue.Queue()

    def write(self, name: str, prompt: str, *, rank: int = 1, stream: bool = False) -> None:
        spec = GenerationSpec(max_new_tokens=16, stream=stream)
        request = UpstreamRequest(name, GenerationInput(prompt, "en", spec), rank, "acme")
        self.generator.submit(
            request,
            lambda outcome: self.done.put((name, outcome)),
            self.pieces.put if stream else None,
        )

    def outcome(self, prompt: str, *, stream: bool = False) -> Written | Exception:
        self.write(prompt, prompt, stream=stream)
        return self.done.get(timeout=PATIENCE)[1]

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def bench(server: Upstream) -> Iterator[Bench]:
    server.gate.clear()
    server.most_under_way = 0
    server.bodies.clear()
    bench = Bench(server)
    bench.generator.start()
    yield bench
    server.gate.set()
    bench.generator.stop()
    bench.until(lambda: server.under_way == 0)  # or the next test would count them


def test_a_text_comes_with_its_usage_and_its_key(bench: Bench) -> None:
    assert bench.outcome("say 你好 there") == Generation("你好 there", FinishReason.STOP, 3, 5)
    assert bench.server.keys[-1] == "Bearer sk-secret"
    assert bench.server.bodies == [
        {"model": "large", "prompt": "say 你好 there", "max_tokens": 16, "temperature": 0.0}
    ]


def test_a_stream_is_passed_on_piece_by_piece(bench: Bench) -> None:
    bench.write("a", "hold 今天 天气", stream=True)
    assert [bench.pieces.get(timeout=PATIENCE) for _ in range(2)] == ["今天 ", "天气"]
    assert bench.done.empty()
    bench.server.gate.set()
    name, outcome = bench.done.get(timeout=PATIENCE)
    assert (name, outcome) == ("a", Generation("今天 天气", FinishReason.LENGTH, 3, 5))


def test_so_many_are_under_way_and_no_more_and_the_urgent_come_first(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.write(name, "hold")
    bench.until(lambda: bench.server.under_way == 2)
    for name, rank in (("late", 2), ("c", 1), ("urgent", 0)):
        bench.write(name, f"say {name}", rank=rank)
    assert bench.done.empty()
    bench.server.gate.set()
    ended = [bench.done.get(timeout=PATIENCE)[0] for _ in range(5)]
    assert sorted(ended) == ["a", "b", "c", "late", "urgent"]
    assert bench.server.most_under_way == 2
    asked = [body["prompt"] for body in bench.server.bodies]
    assert asked[2] == "say urgent"


def test_a_cancelled_text_hangs_up_and_keeps_what_it_has(bench: Bench) -> None:
    bench.write("a", "hold one two", stream=True)
    bench.write("b", "hold")
    bench.write("never", "say no")
    assert bench.pieces.get(timeout=PATIENCE) == "one "
    assert bench.pieces.get(timeout=PATIENCE) == "two"
    bench.generator.cancel("never")
    assert bench.done.get(timeout=PATIENCE) == (
        "never",
        Generation("", FinishReason.CANCELLED, 0, 0),
    )
    bench.until(lambda: bench.server.under_way == 2)
    bench.generator.cancel("a")
    name, outcome = bench.done.get(timeout=PATIENCE)
    assert (name, outcome) == ("a", Generation("one two", FinishReason.CANCELLED, 0, 0))
    bench.until(lambda: bench.server.under_way == 1)
    bench.generator.cancel("nobody")


@pytest.mark.parametrize(
    ("prompt", "kind", "says"),
    [
        ("status 400", UpstreamRefused, "status 400, context_length_exceeded"),
        ("status 413", UpstreamRefused, "status 413"),
        ("status 401", UpstreamMisconfigured, "neither its key nor its name"),
        ("status 404", UpstreamMisconfigured, "lepton models show ours"),
        ("status 302", UpstreamRefused, "status 302"),
        ("status 429", TemporaryFailure, "status 429"),
        ("status 500", TemporaryFailure, "status 500"),
        ("status 503", TemporaryFailure, "status 503"),
        ("garbage", UpstreamBroken, "no JSON"),
    ],
)
def test_what_the_upstream_refuses(
    bench: Bench, prompt: str, kind: type[Exception], says: str
) -> None:
    outcome = bench.outcome(prompt)
    assert type(outcome) is kind
    assert says in str(outcome)
    assert "no: " not in str(outcome), "what it wrote quotes the prompt"


def test_a_stream_that_breaks_off_may_do_later(bench: Bench) -> None:
    assert isinstance(bench.outcome("break one two", stream=True), TemporaryFailure)


def test_an_upstream_that_is_away_may_be_back_later() -> None:
    bench = Bench(Upstream(url=f"http://127.0.0.1:{free_port()}/v1"))
    bench.generator.start()
    outcome = bench.outcome("say hello")
    assert isinstance(outcome, TemporaryFailure)
    assert bench.generator.stop() == []


def test_it_is_left_alone_for_as_long_as_it_asks(bench: Bench) -> None:
    began = time.monotonic()
    outcome = bench.outcome("status 429 0.7")
    assert isinstance(outcome, TemporaryFailure)
    assert outcome.retry_after == 0.7
    assert isinstance(bench.outcome("say hello"), Generation)
    assert time.monotonic() - began >= 0.7


def test_nothing_begins_on_a_stale_lease(bench: Bench) -> None:
    bench.fresh = False
    bench.write("a", "say hello")
    with pytest.raises(queue.Empty):
        bench.done.get(timeout=0.3)
    bench.fresh = True
    assert bench.done.get(timeout=PATIENCE)[0] == "a"


def test_what_did_not_begin_or_end_is_given_back(bench: Bench) -> None:
    bench.write("short", "hold a", stream=True)
    bench.write("long", "hold b", stream=True)
    bench.until(lambda: bench.server.under_way == 2)
    bench.write("waits", "say no")
    assert bench.generator.close(time.monotonic() + 0.3) == ["waits"]
    assert sorted(bench.generator.stop()) == ["long", "short"]
    assert bench.done.empty()
    bench.until(lambda: bench.server.under_way == 0)


def test_what_is_under_way_ends_in_the_grace(bench: Bench) -> None:
    bench.write("a", "hold a")
    bench.until(lambda: bench.server.under_way == 1)
    assert bench.generator.close(time.monotonic() + PATIENCE) == []
    bench.server.gate.set()
    assert bench.generator.stop() == []
    assert bench.done.get(timeout=PATIENCE)[0] == "a"
