"""The running batch, step by step: exact, fair in steps, and one request's trouble is its own."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch

from lepton_tasks.nlp.generating import GenerationSpec
from tests.support.models import SENTENCES, load_decoder_network, save_decoder
from tests.workers.generation.conftest import CPU, LIMITS
from workers.device_faults import DeviceFault
from workers.generation.batch import MOST_PADDING, RunningBatch
from workers.generation.model import DecoderModel, load_decoder
from workers.generation.paged_cache import Span
from workers.generation.requests import (
    FinishReason,
    Generation,
    GenerationFailed,
    GenerationRequest,
)
from workers.generation.sequence import RunningRequest, Submission

OUTSIDE = 9_999
"""A token that no vocabulary here has: looking it up raises."""


class Run:
    """A batch whose requests are noted: what they said and how they ended."""

    def __init__(self, model: DecoderModel, most_running: int = 4, read_tokens: int = 64) -> None:
        self.model = model
        self.batch = RunningBatch(model, most_running, read_tokens, nullcontext)
        self.outcomes: dict[str, Generation | Exception] = {}
        self.pieces: defaultdict[str, list[str]] = defaultdict(list)
        self.steps = 0

    def join(self, name: str, prompt: Sequence[int] | str, **spec: object) -> None:
        if isinstance(prompt, str):
            prompt = self.model.tokenizer.encode(prompt).ids
        request = GenerationRequest(name, prompt, GenerationSpec(**spec))  # type: ignore[arg-type]
        self.batch.join(
            Submission(
                request,
                self.pieces[name].append,
                lambda outcome: self.outcomes.update({name: outcome}),
            )
        )

    def step(self) -> None:
        self.batch.step()
        self.steps += 1

    def finish(self) -> dict[str, Generation | Exception]:
        while len(self.batch):
            self.step()
        assert self.batch.fits(self.model.paged.blocks * 16), "all memory is free again"
        return self.outcomes

    def text(self, name: str) -> Generation:
        outcome = self.outcomes[name]
        assert isinstance(outcome, Generation), outcome
        return outcome


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> defaultdict[str, list[int]]:
    """The tokens of every request."""
    tokens: defaultdict[str, list[int]] = defaultdict(list)
    accept = RunningRequest.accept

    def noted(self: RunningRequest, token: int) -> Generation | None:
        tokens[self.id].append(token)
        return accept(self, token)

    monkeypatch.setattr(RunningRequest, "accept", noted)
    return tokens


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_greedy_is_what_transformers_generates(
    tmp_path: Path, family: str, said: dict[str, list[int]]
) -> None:
    folder = save_decoder(tmp_path, family)
    network = load_decoder_network(folder)
    run = Run(load_decoder("tiny", folder, CPU, torch.float32, LIMITS))
    prompts = {
        f"r{place}": run.model.tokenizer.encode(text * (1 + place % 3)).ids
        for place, text in enumerate(SENTENCES)
    }
    lengths = {name: 3 + 5 * place for place, name in enumerate(prompts)}
    for name, prompt in prompts.items():
        while not run.batch.fits(len(prompt) + lengths[name]):
            run.step()
        run.join(name, prompt, max_new_tokens=lengths[name])
        run.step()  # so that everybody joins at another time
    run.finish()
    together = dict(said)
    for name, prompt in prompts.items():
        whole = network.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=lengths[name],
            do_sample=False,
        )
        wanted = whole[0, len(prompt) :].tolist()
        assert together[name] == wanted
        assert run.text(name).text == run.model.tokenizer.decode(wanted)
        assert "".join(run.pieces[name]) == run.text(name).text
        said.clear()
        run.join(name, prompt, max_new_tokens=lengths[name])
        run.finish()
        assert said[name] == wanted, "alone"


def test_a_short_text_takes_as_many_steps_as_it_has_tokens(llama: DecoderModel) -> None:
    run = Run(llama)
    run.join("long", SENTENCES[0], max_new_tokens=100)
    for _ in range(10):
        run.step()
    run.join("short", SENTENCES[4], max_new_tokens=5)
    for _ in range(5):
        assert "short" not in run.outcomes
        run.step()
    assert run.text("short").completion_tokens == 5
    assert "long" in run.batch


def test_a_long_prompt_does_not_hold_up_a_short_one(llama: DecoderModel) -> None:
    run = Run(llama, read_tokens=64)
    run.join("long", SENTENCES[1] * 10, max_new_tokens=2)
    run.step()
    run.join("short", "tea", max_new_tokens=2)
    run.step()
    run.step()
    assert run.text("short").completion_tokens == 2
    run.finish()
    assert run.steps >= run.text("long").prompt_tokens / 64


def test_readers_share_the_tokens_of_a_step(
    llama: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(llama, read_tokens=64)
    sizes: list[list[int]] = []
    logits = llama.paged.logits

    def noted(spans: Sequence[Span]) -> torch.Tensor:
        sizes.append([len(span.tokens) for span in spans])
        return logits(spans)

    monkeypatch.setattr(type(llama.paged), "logits", lambda _, spans: noted(spans))
    for name in ("one", "two"):
        run.join(name, SENTENCES[2] * 3, max_new_tokens=1)
    run.finish()
    assert sizes[0] == [32, 32]
    assert max(map(sum, sizes)) <= 64


def test_texts_of_very_different_length_go_in_passes_of_their_own(
    llama: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.generation.batch.MOST_PADDING", MOST_PADDING // 32)
    run = Run(llama)
    alone = Run(llama)
    for name, prompt in (("long", SENTENCES[0] * 12), ("a", "tea"), ("b", "谢谢")):
        run.join(name, prompt, max_new_tokens=6)
        alone.join(name, prompt, max_new_tokens=6)
        alone.finish()
    assert run.finish() == alone.outcomes


def test_an_end_token_ends_a_text_and_is_no_part_of_it(
    llama: DecoderModel, said: dict[str, list[int]]
) -> None:
    free = Run(llama)
    free.join("free", SENTENCES[3], max_new_tokens=12)
    free.finish()
    end = next(token for place, token in enumerate(said["free"]) if place >= 4)
    first = said["free"].index(end)
    run = Run(dataclasses.replace(llama, ends=frozenset({end})))
    run.join("ended", SENTENCES[3], max_new_tokens=12)
    run.finish()
    ended = run.text("ended")
    assert (ended.finish_reason, ended.completion_tokens) == (FinishReason.STOP, first + 1)
    assert ended.text == llama.tokenizer.decode(said["free"][:first])


def test_a_stop_string_ends_a_text_before_it(llama: DecoderModel) -> None:
    run = Run(llama)
    run.join("free", SENTENCES[5], max_new_tokens=30)
    run.finish()
    free = run.text("free").text
    stop = free[10:13]
    run.join("stopped", SENTENCES[5], max_new_tokens=30, stop=("no such thing", stop))
    run.finish()
    stopped = run.text("stopped")
    assert stopped.finish_reason is FinishReason.STOP
    assert stopped.text == free[: free.index(stop)] == "".join(run.pieces["stopped"])
    assert stopped.completion_tokens < 30


def test_a_seed_gives_the_same_text_alone_and_in_company(llama: DecoderModel) -> None:
    run = Run(llama)
    spec = {"max_new_tokens": 20, "temperature": 1.5, "top_p": 0.9}
    run.join("alone", SENTENCES[6], seed=11, **spec)
    run.finish()
    run.join("greedy", SENTENCES[7], max_new_tokens=25)
    run.join("again", SENTENCES[6], seed=11, **spec)
    run.join("other", SENTENCES[6], seed=12, **spec)
    run.finish()
    assert run.text("again") == run.text("alone") != run.text("other")


def test_one_failing_request_costs_only_itself(
    llama: DecoderModel, caplog: pytest.LogCaptureFixture
) -> None:
    alone, run = Run(llama), Run(llama)
    for name, prompt in (("a", SENTENCES[0]), ("b", SENTENCES[4]), ("c", SENTENCES[1] * 3)):
        alone.join(name, prompt, max_new_tokens=10)
        alone.finish()
        run.join(name, prompt, max_new_tokens=10)
    run.join("bad", [*range(3, 30), OUTSIDE, 5], max_new_tokens=10)
    run.finish()
    bad = run.outcomes.pop("bad")
    assert isinstance(bad, GenerationFailed)
    assert str(bad) == "the model raised IndexError"
    assert run.outcomes == alone.outcomes
    assert "request bad: the model raised IndexError at" in caplog.text


def test_logits_that_are_no_numbers_fail_their_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(load_decoder("tiny", save_decoder(tmp_path), CPU, torch.float32, LIMITS))
    run.join("a", [5, 6, 7], max_new_tokens=8)
    run.finish()
    wanted = run.outcomes.pop("a")
    with torch.no_grad():
        run.model.paged._network.get_input_embeddings().weight[400] = float("nan")
    run.join("broken", [400, 401], max_new_tokens=8, temperature=1.0)
    run.join("a", [5, 6, 7], max_new_tokens=8)
    run.finish()
    assert isinstance(run.outcomes["broken"], GenerationFailed)
    assert run.outcomes["a"] == wanted


def test_short_of_memory_fewer_run_at_once(
    llama: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, alone = Run(llama), Run(llama)
    for name, prompt in (("a", SENTENCES[0]), ("b", SENTENCES[4]), ("c", SENTENCES[2])):
        alone.join(name, prompt, max_new_tokens=5)
        alone.finish()
        run.join(name, prompt, max_new_tokens=5)
    logits = llama.paged.logits

    def tight(spans: Sequence[Span]) -> torch.Tensor:
        if len(spans) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return logits(spans)

    monkeypatch.setattr(type(llama.paged), "logits", lambda _, spans: tight(spans))
    run.step()
    assert not run.batch.fits(1), "three run, and one at a time is the limit now"
    run.finish()
    assert run.outcomes == alone.outcomes


def broken(_: object, spans: Sequence[Span]) -> torch.Tensor:
    """Fail as the forward pass of a device that is lost."""
    raise RuntimeError("CUDA error: device-side assert triggered")


def test_a_broken_device_is_everybodys(
    llama: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(llama)
    run.join("a", "tea", max_new_tokens=5)
    monkeypatch.setattr(type(llama.paged), "logits", broken)
    with pytest.raises(DeviceFault):
        run.step()


def test_a_cancelled_text_is_what_there_is_and_its_memory_is_free(llama: DecoderModel) -> None:
    run = Run(llama, most_running=2)
    run.join("a", SENTENCES[0], max_new_tokens=300)
    run.join("b", SENTENCES[1], max_new_tokens=300)
    for _ in range(8):
        run.step()
    assert not run.batch.fits(1)
    run.batch.cancel("a")
    cancelled = run.text("a")
    assert cancelled.finish_reason is FinishReason.CANCELLED
    assert cancelled.completion_tokens == 8
    assert cancelled.text == "".join(run.pieces["a"])
    assert run.batch.fits(600)
    assert run.batch.abandon() == ["b"]
    assert "b" not in run.outcomes


def test_memory_bounds_who_runs(llama: DecoderModel) -> None:
    run = Run(llama, most_running=9)
    run.join("large", SENTENCES[0], max_new_tokens=450)
    run.join("larger", SENTENCES[1], max_new_tokens=450)
    assert not run.batch.fits(200)
    assert run.batch.fits(20)


def test_each_pass_has_its_turn(llama: DecoderModel) -> None:
    turns = []

    @contextmanager
    def turn() -> Iterator[None]:
        turns.append(True)
        yield

    batch = RunningBatch(llama, 4, 64, turn)
    batch.join(
        Submission(
            GenerationRequest("a", [5] * 100, GenerationSpec(max_new_tokens=3)),
            None,
            lambda outcome: None,
        )
    )
    while len(batch):
        batch.step()
    assert len(turns) == 2 + 2, "the prompt in two parts, and two more tokens"


def test_who_is_on_the_device_is_told_until_a_pass_went_well(
    llama: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    run = Run(llama)
    run.batch = RunningBatch(llama, 4, 64, nullcontext, lambda ids: told.append(list(ids)))
    run.join("a", [5] * 20, max_new_tokens=3)
    run.step()
    run.join("b", [6] * 20, max_new_tokens=3)
    run.step()
    assert told == [["a"], [], ["a", "b"], [], ["a", "b"], []], "b reads, then a writes"
    told.clear()
    monkeypatch.setattr(type(llama.paged), "logits", broken)
    with pytest.raises(DeviceFault):
        run.step()
    assert told == [["a", "b"]]


def test_who_must_be_alone_needs_all_the_memory(llama: DecoderModel) -> None:
    run = Run(llama)
    alone = GenerationRequest("alone", [5] * 20, GenerationSpec(max_new_tokens=2), alone=True)
    run.join("a", "tea", max_new_tokens=2)
    assert not run.batch.fits(run.batch.size(alone))
    run.finish()
    assert run.batch.fits(run.batch.size(alone))
    run.batch.join(Submission(alone, None, lambda outcome: None))
    assert not run.batch.fits(1)
    run.finish()
