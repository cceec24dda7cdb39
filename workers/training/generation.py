"""Train a small decoder from raw text: ``python -m workers.training.generation STEP``.

The steps are prepare, preprocess, train and generate; each reads what the one before it
left in the work folder.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

import torch
from tokenizers import Tokenizer

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.language import detect_language
from lepton_tasks.nlp.sampling_options import SamplingOptions
from workers.engines.folder import CONFIG
from workers.engines.pretrained import TOKENIZER
from workers.errors import ModelError
from workers.generation.generator import Generator
from workers.generation.limits import GenerationLimits
from workers.generation.model import load_decoder
from workers.generation.requests import Generation, GenerationRequest
from workers.training.datasets import DataMissing
from workers.training.decoder.checkpoint import Tensors, save_checkpoint
from workers.training.decoder.corpus import Split, read_documents, write_corpus
from workers.training.decoder.network import FAMILIES, HEAD_WIDTH, Shape, save_model
from workers.training.decoder.preprocessing import write_tokens
from workers.training.decoder.resuming import TrainingRefused, resume
from workers.training.decoder.sets import SETS, documents_of_sets
from workers.training.decoder.shards import Shards
from workers.training.decoder.tokenizer import LEAST_VOCABULARY, MOST_VOCABULARY
from workers.training.decoder.trainer import Progress, Recipe, Trainer

CORPUS, TOKENS, RUN, MODEL = "corpus", "tokens", "run", "model"
INTERRUPTED: Final = 130
_SHAPE: Final = Shape()


def prepare(chosen: argparse.Namespace) -> int:
    """Raw text to documents."""
    documents: Iterator[tuple[Split | None, str]]
    if chosen.data is not None:
        documents = documents_of_sets(chosen.data)
    else:
        documents = (
            (None, text)
            for file in chosen.text
            for text in read_documents(file, by_line=chosen.by_line)
        )
    counts = write_corpus(chosen.work / CORPUS, documents, chosen.dev_share)
    say(
        f"{counts.train:,} documents to train on, {counts.dev:,} held out, "
        f"{counts.repeated:,} repeated ones left out: {chosen.work / CORPUS}"
    )
    if not counts.train or not counts.dev:
        raise DataMissing("both parts need documents; prepare more text or change --dev-share")
    return 0


def preprocess(chosen: argparse.Namespace) -> int:
    """Documents to a tokenizer and shards of tokens."""
    shards = write_tokens(chosen.work / CORPUS, chosen.work / TOKENS, chosen.vocabulary)
    say(f"{shards.facts['vocabulary']:,} tokens in the vocabulary")
    for name, part in shards.parts.items():
        say(
            f"{name}: {part.documents:,} documents, {part.tokens:,} tokens, "
            f"{part.bytes / part.tokens:.2f} bytes a token"
        )
    return 0


def train(chosen: argparse.Namespace) -> int:
    """Shards to a model folder."""
    torch.set_num_threads(chosen.threads)
    shards = Shards(chosen.work / TOKENS)
    shape = Shape(chosen.family, chosen.width, chosen.layers, chosen.context)
    recipe = Recipe(
        steps=chosen.steps,
        batch=chosen.batch,
        rate=chosen.rate,
        warmup=chosen.warmup,
        interval=chosen.interval,
        seed=chosen.seed,
        bfloat16=chosen.bfloat16,
    )
    trainer = Trainer(shards, shape, recipe)
    resume(trainer, chosen.work / RUN, wanted=chosen.resume)
    parameters = sum(one.numel() for one in trainer.network.parameters())
    say(f"{parameters:,} parameters; step {trainer.step:,} of {recipe.steps:,}")
    with interrupt_noted() as stopped:
        if not trainer.train(Watched(chosen.work / RUN, stopped), chosen.until):
            say(f"stopped at step {trainer.step:,}; the same command with --resume goes on")
            return INTERRUPTED
    tokenizer = Tokenizer.from_file(str(chosen.work / TOKENS / TOKENIZER))
    save_model(chosen.out or chosen.work / MODEL, trainer.network, tokenizer)
    say(f"written to {chosen.out or chosen.work / MODEL}")
    return 0


def generate(chosen: argparse.Namespace) -> int:
    """A model folder and a prompt to a text, by the engine that serves jobs."""
    options = SamplingOptions(
        max_tokens=chosen.max_tokens,
        temperature=chosen.temperature,
        top_p=chosen.top_p,
        seed=chosen.seed,
    )
    torch.set_num_threads(1)
    prompt: str = chosen.prompt
    limits = GenerationLimits(cache_tokens=1024)
    folder = chosen.work / MODEL
    if not (folder / CONFIG).is_file():
        raise DataMissing(f"{folder} has no model; run the step train first")
    model = load_decoder(folder.name, folder, torch.device("cpu"), torch.float32, limits)
    (encoded,) = model.tokenize([ModelInput(prompt, detect_language(prompt))])
    request = GenerationRequest("0", encoded.tokens, options.spec())
    ended: SimpleQueue[Generation | Exception] = SimpleQueue()
    generator = Generator(model, limits)
    generator.start()
    print(prompt, end="", flush=True)
    try:
        generator.submit(request, ended.put, lambda piece: print(piece, end="", flush=True))
        outcome = ended.get()
    finally:
        generator.stop()
    print()
    if isinstance(outcome, Exception):
        raise outcome
    say(f"{outcome.completion_tokens} tokens, {outcome.finish_reason}")
    return 0


@contextmanager
def interrupt_noted() -> Iterator[list[int]]:
    """Note Ctrl-C instead of raising: the step that runs is finished first."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True, slots=True)
class Watched:
    """Prints how a training goes and keeps checkpoints in ``run``, until ``stopped`` has any."""

    run: Path
    stopped: Sequence[int]

    def measured(self, progress: Progress) -> None:
        """Print a line."""
        tell(progress)

    def stepped(self, step: int, loss: float) -> bool:
        """Checkpoints come with what is measured."""
        return False

    def stops(self) -> bool:
        """After Ctrl-C."""
        return bool(self.stopped)

    def keep(self, facts: Mapping[str, Any], tensors: Tensors) -> None:
        """Replace the one before."""
        save_checkpoint(self.run, facts, tensors)


def tell(progress: Progress) -> None:
    """Print a line of progress."""
    dev = ", ".join(f"{name} {value:.1f}" for name, value in progress.perplexities.items())
    say(
        f"step {progress.step:,} of {progress.steps:,}: loss {progress.loss:.3f}, "
        f"{progress.tokens_per_second:,.0f} tokens/s, dev perplexity {dev}"
    )


def say(text: str) -> None:
    """Print to whoever watches."""
    print(text, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Everything that can be said on the command line."""
    main_parser = argparse.ArgumentParser(
        prog="python -m workers.training.generation",
        description="Train a small decoder from raw text, in four steps.",
    )
    steps = main_parser.add_subparsers(required=True, metavar="STEP")

    def add(name: str, run: Callable[[argparse.Namespace], int], says: str) -> Any:
        step = steps.add_parser(name, help=says, description=says)
        step.set_defaults(run=run)
        step.add_argument(
            "--work", type=Path, required=True, metavar="DIR", help="folder that the steps share"
        )
        return step

    step = add("prepare", prepare, "Clean raw text and hold a part of it out.")
    source = step.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--text", type=Path, nargs="+", metavar="FILE", help="UTF-8; a blank line ends a document"
    )
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="the sets of the shipped model: " + ", ".join(one.name for one in SETS),
    )
    step.add_argument("--by-line", action="store_true", help="each line is a document")
    step.add_argument(
        "--dev-share", type=share, default=0.05, help="held out of --text (%(default)s)"
    )

    step = add("preprocess", preprocess, "Learn a tokenizer and write shards of tokens.")
    step.add_argument(
        "--vocabulary", type=vocabulary, default=4096, help="tokens to learn (%(default)s)"
    )

    step = add("train", train, "Train, or go on training, and write a model folder.")
    step.add_argument("--family", choices=FAMILIES, default=_SHAPE.family)
    step.add_argument("--width", type=width, default=_SHAPE.width, help="(%(default)s)")
    step.add_argument("--layers", type=positive, default=_SHAPE.layers, help="(%(default)s)")
    step.add_argument(
        "--context", type=positive, default=_SHAPE.context, help="tokens of a piece (%(default)s)"
    )
    step.add_argument("--steps", type=positive, default=4000, help="(%(default)s)")
    step.add_argument(
        "--until", type=positive, metavar="STEP", help="take the best weights then, not at the end"
    )
    step.add_argument("--batch", type=positive, default=4, help="pieces a step (%(default)s)")
    step.add_argument("--rate", type=float, default=3e-3, help="learning rate (%(default)s)")
    step.add_argument(
        "--warmup", type=int, default=100, help="steps until the rate is reached (%(default)s)"
    )
    step.add_argument(
        "--interval", type=positive, default=200, help="steps between checkpoints (%(default)s)"
    )
    step.add_argument("--seed", type=int, default=7, help="(%(default)s)")
    step.add_argument("--threads", type=positive, default=1, help="(%(default)s)")
    step.add_argument("--bfloat16", action="store_true", help="quicker on processors that have it")
    step.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    step.add_argument("--out", type=Path, metavar="DIR", help="model folder (DIR/model)")

    step = add("generate", generate, "Continue a prompt with the model.")
    step.add_argument("prompt", nargs="?", default="今天", help="(%(default)s)")
    step.add_argument("--max-tokens", type=int, default=60, help="(%(default)s)")
    step.add_argument("--temperature", type=float, default=0.7, help="(%(default)s)")
    step.add_argument("--top-p", type=float, default=0.9, help="(%(default)s)")
    step.add_argument("--seed", type=int, default=7, help="(%(default)s)")
    return main_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a step. Returns 0, 2 where something is missing or wrong, 130 after Ctrl-C."""
    chosen = parser().parse_args(arguments)
    try:
        result: int = chosen.run(chosen)
    except (DataMissing, TrainingRefused, ModelError) as error:
        print(error, file=sys.stderr)
        return 2
    return result


def positive(text: str) -> int:
    """Read a number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def share(text: str) -> float:
    """Read a part of a whole."""
    value = float(text)
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError("must lie between 0 and 1")
    return value


def vocabulary(text: str) -> int:
    """Read a size of a vocabulary."""
    value = int(text)
    if not LEAST_VOCABULARY <= value <= MOST_VOCABULARY:
        raise argparse.ArgumentTypeError(
            f"must lie between {LEAST_VOCABULARY} and {MOST_VOCABULARY}"
        )
    return value


def width(text: str) -> int:
    """Read a width: heads are 32 wide."""
    value = positive(text)
    if value % HEAD_WIDTH:
        raise argparse.ArgumentTypeError(f"must be a multiple of {HEAD_WIDTH}")
    return value


if __name__ == "__main__":
    sys.exit(main())
