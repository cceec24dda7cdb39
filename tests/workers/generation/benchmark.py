"""Short and long texts together: what short ones wait for, by ways of batching.

Run ``python -m tests.workers.generation.benchmark``. A small Llama with random weights,
one thread. Time is the CPU time of the thread that computes, so that what else the machine
does changes little: requests arrive at moments of that clock, and it is set
forward while nobody waits. One request in eight asks for a long text. Every way gets the
same requests, several times.

The last row is the same requests without the long ones, and below the table stands by how
much the long ones lengthen what short ones wait: their 95th percentile with and without.

The second table, left out by ``--no-steps``, is the CPU time of a step of the running
batch, of ours and of transformers' continuous batching manager, by rows and by tokens that
each row has.
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import typer
from transformers import ContinuousBatchingConfig, GenerationConfig
from transformers.generation.continuous_batching.continuous_api import ContinuousBatchingManager

from lepton_tasks.nlp.generating import GenerationSpec
from tests.support.models import load_decoder_network, save_decoder
from workers.generation.batch import RunningBatch
from workers.generation.limits import GenerationLimits
from workers.generation.model import DecoderModel, load_decoder
from workers.generation.requests import GenerationRequest
from workers.generation.sequence import Submission

ROWS = 16
SHORT, LONG = 16, 240
CACHE_TOKENS = 16_384
READ_TOKENS = 512
STEPS = 16


class Clock:
    """Seconds of CPU time, and those that nobody had anything to do."""

    def __init__(self) -> None:
        self.now = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the CPU time of the block."""
        start = time.thread_time()
        yield
        self.now += time.thread_time() - start

    def until(self, moment: float) -> None:
        """Be at ``moment``, if it is to come."""
        self.now = max(self.now, moment)


@dataclass(frozen=True)
class Asked:
    """A request: when it arrives, its prompt, how many tokens it asks for."""

    name: str
    at: float
    prompt: list[int]
    tokens: int

    @property
    def request(self) -> GenerationRequest:
        """As the generator takes it."""
        return GenerationRequest(self.name, self.prompt, GenerationSpec(max_new_tokens=self.tokens))


NO_LONG = "… without the long"
MIXED = "iteration-level"

Way = Callable[[Sequence[Asked]], tuple[dict[str, float], float]]
"""Serves requests; returns the seconds each one took, and the moment when all were done."""


def workload(count: int, seconds_between: float, seed: int) -> list[Asked]:
    """Requests at random moments; the first of each eight is a long one."""
    dice = random.Random(seed)
    at, asked = 0.0, []
    for place in range(count):
        prompt = [dice.randrange(3, 400) for _ in range(dice.randrange(16, 64))]
        asked.append(Asked(f"r{place}", at, prompt, LONG if place % 8 == 0 else SHORT))
        at += dice.expovariate(1 / seconds_between)
    return asked


def each_alone(network: Any) -> Way:
    """Each on an idle machine: the least that a text can take."""

    def serve(asked: Sequence[Asked]) -> tuple[dict[str, float], float]:
        clock, took = Clock(), {}
        for one in asked:
            start = clock.now
            with clock.running():
                generate(network, [one])
            took[one.name] = clock.now - start
        return took, clock.now

    return serve


def static(network: Any, rows: int) -> Way:
    """Whoever waits, up to ``rows``, goes as one batch, and all leave when the last is done."""

    def serve(asked: Sequence[Asked]) -> tuple[dict[str, float], float]:
        clock, took, waiting = Clock(), {}, list(asked)
        while waiting:
            clock.until(waiting[0].at)
            batch = [one for one in waiting if one.at <= clock.now][:rows]
            del waiting[: len(batch)]
            with clock.running():
                generate(network, batch)
            took.update({one.name: clock.now - one.at for one in batch})
        return took, clock.now

    return serve


def generate(network: Any, batch: Sequence[Asked]) -> None:
    """Run ``batch`` with transformers' generate, padded on the left."""
    longest = max(len(one.prompt) for one in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, one in enumerate(batch):
        ids[row, longest - len(one.prompt) :] = torch.tensor(one.prompt)
        mask[row, longest - len(one.prompt) :] = 1
    settings = GenerationConfig(max_new_tokens=max(one.tokens for one in batch), do_sample=False)
    network.generate(input_ids=ids, attention_mask=mask, generation_config=settings)


def iteration_level(model: DecoderModel) -> Way:
    """Ours: everybody joins and leaves at any step."""

    def serve(asked: Sequence[Asked]) -> tuple[dict[str, float], float]:
        clock, took, waiting = Clock(), {}, list(asked)
        batch = RunningBatch(model, ROWS, READ_TOKENS, nullcontext)
        ended: list[Asked] = []
        while waiting or len(batch):
            if not len(batch):
                clock.until(waiting[0].at)
            with clock.running():
                while waiting and waiting[0].at <= clock.now and len(batch) < ROWS:
                    join(batch, waiting.pop(0), ended)
                batch.step()
            took.update({one.name: clock.now - one.at for one in ended})
            ended.clear()
        return took, clock.now

    return serve


def without_long(way: Way) -> Way:
    """Serve the short requests alone, at the moments when they come beside the long ones."""

    def serve(asked: Sequence[Asked]) -> tuple[dict[str, float], float]:
        return way([one for one in asked if one.tokens == SHORT])

    return serve


def join(batch: RunningBatch, one: Asked, ended: list[Asked]) -> None:
    """Let ``one`` in; it is put on ``ended`` when it is done."""
    batch.join(Submission(one.request, None, lambda _: ended.append(one)))


def own_step(model: DecoderModel, prompts: Sequence[list[int]]) -> float:
    """Median CPU milliseconds of a step in which all write, ours."""
    batch = RunningBatch(model, len(prompts), READ_TOKENS, nullcontext)
    for place, prompt in enumerate(prompts):
        join(batch, Asked(str(place), 0.0, prompt, 2 * STEPS), [])
    times = []
    while len(batch) == len(prompts):
        clock = Clock()
        with clock.running():
            batch.step()
        times.append(1e3 * clock.now)
    for place in range(len(batch)):
        batch.cancel(str(place))
    return statistics.median(times[-STEPS:])


def manager_step(network: Any, prompts: Sequence[list[int]]) -> float:
    """Median CPU milliseconds of a step in which all write, transformers' manager."""
    times: list[float] = []
    body = ContinuousBatchingManager._generation_loop_body

    def timed(manager: Any, processor: Any, bootstrapping: bool) -> bool:
        clock = Clock()
        with clock.running():
            more = bool(body(manager, processor, bootstrapping))
        active = processor.scheduler.active_requests.values()
        if len(active) == len(prompts) and all(one.generated_tokens for one in active):
            times.append(1e3 * clock.now)
        return more

    ContinuousBatchingManager._generation_loop_body = timed
    manager = network.init_continuous_batching(
        generation_config=GenerationConfig(do_sample=False, eos_token_id=-1),
        continuous_batching_config=ContinuousBatchingConfig(
            page_size=16,
            num_blocks=CACHE_TOKENS // 16,
            max_batch_tokens=READ_TOKENS,
            max_requests_per_batch=ROWS,
            allow_block_sharing=False,
        ),
    )
    manager.start()
    for place, prompt in enumerate(prompts):
        manager.add_request(prompt, str(place), max_new_tokens=8 * STEPS)
    while len(times) < STEPS:
        time.sleep(0.1)
    manager.stop(hard_stop=True)
    ContinuousBatchingManager._generation_loop_body = body
    return statistics.median(times[-STEPS:])


def main(count: int = 64, between: float = 0.12, rounds: int = 3, steps: bool = True) -> None:
    """Print both tables: medians over ``rounds``, requests ``between`` seconds apart."""
    torch.set_num_threads(1)
    folder = save_decoder(
        Path(tempfile.mkdtemp()),
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        vocab_size=4000,
        initializer_range=0.02,
        eos_token_id=None,
    )
    limits = GenerationLimits(most_running=ROWS, cache_tokens=CACHE_TOKENS)
    model = load_decoder("bench", folder, torch.device("cpu"), torch.float32, limits)
    network = load_decoder_network(folder)
    latencies(count, between, rounds, model, network)
    if not steps:
        return
    typer.echo(f"\n{'rows':>6}{'tokens':>8}{'ours ms':>10}{'manager ms':>12}")
    for rows, length in ((1, 64), (16, 64), (16, 256), (16, 512), (4, 512)):
        prompts = [[(7 * place + row) % 400 for place in range(length)] for row in range(rows)]
        own, other = own_step(model, prompts), manager_step(network, prompts)
        typer.echo(f"{rows:>6}{length:>8}{own:>10.1f}{other:>12.1f}")


def latencies(count: int, between: float, rounds: int, model: DecoderModel, network: Any) -> None:
    """Print milliseconds that texts took, and tokens in a second until all were done."""
    ways: dict[str, Way] = {
        "alone, idle machine": each_alone(network),
        "one by one": static(network, rows=1),
        f"static batches of {ROWS}": static(network, rows=ROWS),
        MIXED: iteration_level(model),
        NO_LONG: without_long(iteration_level(model)),
    }
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for seed in range(rounds):
        asked = workload(count, between, seed)
        for name, way in ways.items():
            took, end = way(asked)
            short = sorted(1e3 * took[one.name] for one in asked if one.tokens == SHORT)
            served = [one for one in asked if one.name in took]
            long = [1e3 * took[one.name] for one in served if one.tokens == LONG] or [math.nan]
            seen[name].append(
                (
                    statistics.median(short),
                    percentile(short),
                    statistics.median(long),
                    percentile(long),
                    sum(one.tokens for one in served) / end,
                )
            )
    columns = ("short p50", "short p95", "long p50", "long p95", "tokens/s")
    typer.echo(f"{'':<22}" + "".join(f"{column:>11}" for column in columns))
    for name, results in seen.items():
        medians = [statistics.median(values) for values in zip(*results, strict=True)]
        typer.echo(f"{name:<22}" + "".join(f"{median:>11.1f}" for median in medians))
    pairs = zip(seen[MIXED], seen[NO_LONG], strict=True)
    ratios = sorted(mixed[1] / alone[1] for mixed, alone in pairs)
    typer.echo(
        f"\nshort p95 beside long ones / without them: median {statistics.median(ratios):.2f}, "
        f"from {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


def percentile(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[round(0.95 * (len(values) - 1))]


if __name__ == "__main__":
    typer.run(main)
