"""The generator's thread: who joins when, cancelling, stopping, and the end of its device."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.generating import GenerationSpec
from lepton_tasks.supervisor.progress import DEVICE_FAULT_EXIT
from tests.support.models import SENTENCES
from tests.workers.generation.conftest import CPU, LIMITS
from workers.errors import ModelError
from workers.generation.generator import Generator
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel, load_decoder
from workers.generation.requests import (
    FinishReason,
    Generation,
    GenerationRefused,
    GenerationRequest,
)

PATIENCE = 60.0


class Client:
    """Submits to a generator and notes, in order, what comes back."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.outcomes: dict[str, Generation | Exception] = {}
        self.pieces: defaultdict[str, list[str]] = defaultdict(list)
        self.threads: set[str] = set()
        self._changed = threading.Condition()

    def submit(
        self,
        name: str,
        text: str = SENTENCES[0],
        *,
        rank: int = 1,
        new: int = 8,
        alone: bool = False,
    ) -> None:
        prompt = self.generator.model.tokenizer.encode(text).ids
        spec = GenerationSpec(max_new_tokens=new)
        request = GenerationRequest(name, prompt, spec, rank=rank, alone=alone)

        def on_text(piece: str) -> None:
            with self._changed:
                self.pieces[name].append(piece)
                self._changed.notify_all()

        def on_done(outcome: Generation | Exception) -> None:
            with self._changed:
                assert name not in self.outcomes
                self.outcomes[name] = outcome
                self.threads.add(threading.current_thread().name)
                self._changed.notify_all()

        self.generator.submit(request, on_done, on_text)

    def wait(self, reached: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(reached, PATIENCE), "it did not come to that"

    def wait_done(self, *names: str) -> None:
        self.wait(lambda: set(names) <= set(self.outcomes))

    def reason(self, name: str) -> FinishReason:
        outcome = self.outcomes[name]
        assert isinstance(outcome, Generation), outcome
        return outcome.finish_reason


@pytest.fixture
def client(llama: DecoderModel) -> Iterator[Client]:
    client = Client(Generator(llama, LIMITS))
    client.generator.start()
    yield client
    client.generator.stop()


def test_more_than_fit_are_done_one_after_the_other(client: Client) -> None:
    names = [f"r{number}" for number in range(12)]
    for name in names:
        client.submit(name, new=30)
    client.wait_done(*names)
    assert {client.reason(name) for name in names} == {FinishReason.LENGTH}
    assert len(set(map(str, client.outcomes.values()))) == 1
    assert client.threads == {"generator"}
    assert client.generator.room() == 12


def test_the_most_urgent_waits_least(llama: DecoderModel) -> None:
    client = Client(Generator(llama, LIMITS.model_copy(update={"most_running": 1})))
    for name, rank in (("bulk", 2), ("normal", 1), ("urgent", 0)):
        client.submit(name, rank=rank)
    client.generator.start()
    client.wait_done("bulk")
    assert list(client.outcomes) == ["urgent", "normal", "bulk"]
    client.generator.stop()


def test_room_is_what_may_be_submitted(llama: DecoderModel) -> None:
    generator = Generator(llama, GenerationLimits(most_running=2, most_waiting=3))
    client = Client(generator)
    assert generator.room() == 5
    client.submit("a")
    assert generator.room() == 4
    assert generator.stop() == ["a"]
    assert generator.room() == 0


def test_what_could_never_run_is_refused(client: Client) -> None:
    with pytest.raises(GenerationRefused, match=r"max_tokens asks for 900 more.*takes 512"):
        client.submit("a", new=900)
    with pytest.raises(GenerationRefused, match="no tokens"):
        client.submit("a", "")
    with pytest.raises(GenerationRefused, match="at least 1"):
        client.submit("a", new=0)
    client.submit("a", new=300)
    with pytest.raises(ModelError, match="held already"):
        client.submit("a")


def test_what_fills_the_whole_memory_still_runs(llama_folder: Path) -> None:
    limits = GenerationLimits(cache_tokens=100)
    model = load_decoder("tiny", llama_folder, CPU, torch.float32, limits)
    assert model.context == 96, "six whole blocks"
    client = Client(Generator(model, limits))
    most = model.context - len(model.tokenizer.encode(SENTENCES[0]).ids)
    client.generator.start()
    for name in ("a", "b", "c"):
        client.submit(name, new=most)
    client.wait_done("a", "b", "c")
    client.generator.stop()


def test_cancelling_ends_one_that_runs_and_one_that_waits(llama: DecoderModel) -> None:
    client = Client(Generator(llama, LIMITS.model_copy(update={"most_running": 1})))
    client.generator.start()
    client.submit("runs", new=450)
    client.submit("waits", new=5)
    client.submit("next", new=5)
    client.wait(lambda: len(client.pieces["runs"]) > 2)
    client.generator.cancel("waits")
    client.wait_done("waits")
    assert client.outcomes["waits"] == Generation(
        "", FinishReason.CANCELLED, len(llama.tokenizer.encode(SENTENCES[0]).ids), 0
    )
    client.generator.cancel("runs")
    client.generator.cancel("never heard of")
    client.wait_done("runs", "next")
    assert client.reason("runs") is FinishReason.CANCELLED
    assert client.reason("next") is FinishReason.LENGTH
    runs = client.outcomes["runs"]
    assert isinstance(runs, Generation)
    assert runs.text == "".join(client.pieces["runs"])
    assert client.generator.stop() == []


def test_who_must_be_alone_runs_after_others_and_before_others(llama: DecoderModel) -> None:
    told: list[tuple[str, ...]] = []
    client = Client(Generator(llama, LIMITS, on_device=lambda ids: told.append(tuple(ids))))
    names = [f"r{number}" for number in range(30)]
    for name in names[:4]:
        client.submit(name, new=6)
    client.submit("suspect", alone=True)
    for name in names[4:]:
        client.submit(name, new=6)
    client.generator.start()
    client.wait_done("suspect", *names)
    client.generator.stop()
    assert {ids for ids in told if "suspect" in ids} == {("suspect",)}
    assert "suspect" in list(client.outcomes)[4:-1]


def test_a_callback_may_submit_the_next(client: Client) -> None:
    ended = threading.Event()

    def again(outcome: Generation | Exception) -> None:
        client.generator.submit(
            GenerationRequest("second", [5, 6], GenerationSpec(max_new_tokens=2)),
            lambda outcome: ended.set(),
        )

    client.generator.submit(
        GenerationRequest("first", [5, 6], GenerationSpec(max_new_tokens=2)), again
    )
    assert ended.wait(PATIENCE)


def test_stopping_gives_back_what_did_not_start_and_ends_the_rest(llama: DecoderModel) -> None:
    client = Client(Generator(llama, LIMITS.model_copy(update={"most_running": 1})))
    client.generator.start()
    client.submit("runs", new=40)
    client.submit("waits")
    client.wait(lambda: len(client.pieces["runs"]) > 1)
    assert client.generator.close(time.monotonic() + PATIENCE) == ["waits"]
    assert client.generator.stop() == []
    assert client.reason("runs") is FinishReason.LENGTH
    assert "waits" not in client.outcomes
    with pytest.raises(ModelError, match="has stopped"):
        client.submit("late")


def test_stopping_without_grace_gives_all_back(llama: DecoderModel) -> None:
    client = Client(Generator(llama, LIMITS))
    client.generator.start()
    client.submit("runs", new=450)
    client.wait(lambda: len(client.pieces["runs"]) > 1)
    assert client.generator.stop() == ["runs"]
    assert client.outcomes == {}


def test_without_a_fresh_lease_nothing_runs_but_cancelling_does(llama: DecoderModel) -> None:
    fresh = threading.Event()
    asked = threading.Semaphore(0)

    def may_step() -> bool:
        asked.release()
        return fresh.is_set()

    client = Client(Generator(llama, LIMITS, may_step))
    client.generator.start()
    client.submit("a")
    client.submit("b")
    for _ in range(3):
        assert asked.acquire(timeout=PATIENCE)
    assert client.outcomes == {}
    client.generator.cancel("b")
    client.wait_done("b")
    assert "a" not in client.outcomes
    fresh.set()
    client.wait_done("a")
    client.generator.stop()


PROGRAM = """
    import torch
    from pathlib import Path
    from lepton_tasks.nlp.generating import GenerationSpec
    from workers.generation.generator import Generator
    from workers.generation.limits import GenerationLimits
    from workers.generation.model import load_decoder
    from workers.generation.requests import GenerationRequest

    limits = GenerationLimits()
    model = load_decoder("tiny", Path({folder!r}), torch.device("cpu"), torch.float32, limits)

    def broken(*_):
        raise RuntimeError("CUDA error: device-side assert triggered")

    model.paged.__class__.logits = broken
    generator = Generator(model, limits)
    generator.submit(GenerationRequest("a", [5], GenerationSpec()), print)
    generator.start()
    generator._thread.join()
    print("still here")
"""


def test_a_broken_device_ends_the_process(llama_folder: Path) -> None:
    program = textwrap.dedent(PROGRAM).format(folder=str(llama_folder))
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == DEVICE_FAULT_EXIT, ended.stderr
    assert "still here" not in ended.stdout
