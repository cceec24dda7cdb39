"""A language model from raw text to a folder that can be published, with its report."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import orjson
import torch
from tokenizers import Tokenizer

from lepton_tasks.nlp.training import LANGUAGE_MODEL, TrainingOptions
from workers.custom.naming import check_name, command_of, serves_at_once
from workers.custom.preparing import TOKENS, prepare
from workers.custom.texts import Texts
from workers.custom.writer_card import headline, writer_card
from workers.custom.writer_size import WriterSize
from workers.engines.pretrained import TOKENIZER
from workers.longruns.checkpoints import Checkpoints
from workers.longruns.child import Paused, Request, RunFailed, Speaker
from workers.longruns.engine import REVISION
from workers.longruns.process import MODEL_FOLDER
from workers.quality.generation import measured
from workers.training.decoder.network import Shape, save_model
from workers.training.decoder.shards import Shards
from workers.training.decoder.trainer import Progress, Recipe, Trainer

ENTRY: Final = {"task": "generation", "engine": "decoder"}
STEPS: Final = 1_000
RATE: Final = 3e-3
MOST_MEASURED: Final = 100_000
"""Tokens of each language that the report measures at most."""
MOST_COUNTED: Final = 2_000_000
"""Tokens that the n-gram model it is compared with is counted over at most."""
_MOST_THREADS: Final = 4
_TOKENIZED, _TRAINED = 0.05, 0.95
"""Shares of the progress between which it trains."""
_LOSS_STEPS: Final = 20


def train_language_model(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Read, tokenize, train, measure and write what is asked for.

    Raises:
        RunFailed: the texts or options cannot be trained with, or the result is no better.
        Paused: the run was asked to end, and is stored.
    """
    began = time.monotonic()
    settings = request.settings
    torch.set_num_threads(settings.threads or min(_MOST_THREADS, os.cpu_count() or 1))
    options = TrainingOptions.model_validate(request.options)
    size = WriterSize.of(options)
    size.check(settings.training_memory_mb)
    check_name(options.model, ENTRY["task"], ENTRY["engine"], settings)
    speaker.progress("reading", 0.0)
    texts = Texts.of(request.item, settings)
    digest = texts.digest()
    what = [REVISION, options.model_dump(mode="json"), digest, torch.get_num_threads()]
    identity = hashlib.sha256(orjson.dumps(what)).hexdigest()
    prepared = prepare(request.folder, texts, options, size, identity, speaker)
    steps = options.steps or STEPS
    trainer = Trainer(
        prepared.shards,
        Shape(width=size.width, layers=size.layers, context=size.context),
        Recipe(
            steps=steps,
            batch=size.batch,
            rate=options.rate or RATE,
            warmup=min(100, steps // 10),
            interval=max(1, min(200, steps // 10)),
            seed=options.seed,
        ),
    )
    checkpoints = Checkpoints(request.folder, identity)
    before = checkpoints.load()
    if before is not None:
        trainer.restore(*before)
    watch = _Watch(checkpoints, speaker, size.batch * size.context, steps, trainer.step)
    if not trainer.train(watch):
        raise Paused
    speaker.progress("measuring", _TRAINED)
    folder = request.folder / MODEL_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = Tokenizer.from_file(str(request.folder / TOKENS / TOKENIZER))
    save_model(folder, trainer.network, tokenizer)
    report = _measured(trainer.network.float(), prepared.shards, steps)
    if options.require_better:
        _require_better(report)
    output = {
        "model": options.model,
        "task": ENTRY["task"],
        "method": LANGUAGE_MODEL,
        "labels": [],
        "languages": sorted(prepared.languages),
        "rows": dict(sorted(prepared.languages.items())),
        "warnings": prepared.warnings(),
        "trained": prepared.trained,
        "held_out": prepared.held_out,
        "new": None,
        "base": None,
        "majority": None,
        "language_model": report,
        "resumed": before is not None,
        "seconds": round(time.monotonic() - began, 1),
    }
    command = command_of(request.item, options)
    (folder / "CARD.md").write_text(writer_card(options, output, command), encoding="utf-8")
    made = {
        "model": options.model,
        "entry": ENTRY,
        "report": {
            "headline": headline(report),
            **output,
            "seed": options.seed,
            "command": command,
            "options": options.model_dump(mode="json"),
            "texts": digest,
        },
        "serve": serves_at_once(options, settings),
    }
    return {"output": output, "made": made}


class _Watch:
    """Tells the progress of a training, and keeps its checkpoints."""

    def __init__(
        self, checkpoints: Checkpoints, speaker: Speaker, tokens: int, steps: int, begun: int
    ) -> None:
        self._checkpoints = checkpoints
        self._speaker = speaker
        self._tokens = tokens
        self._steps = steps
        self._losses: deque[float] = deque(maxlen=_LOSS_STEPS)
        self._began = time.monotonic()
        self._begun = begun
        self._perplexity: float | None = None

    def measured(self, progress: Progress) -> None:
        """Keep the perplexity of what is held out, all languages together."""
        self._perplexity = round(math.exp(progress.dev_loss), 2)

    def stepped(self, step: int, loss: float) -> bool:
        """Tell it; a checkpoint is due now and then."""
        self._losses.append(loss)
        seconds = max(time.monotonic() - self._began, 1e-9)
        self._speaker.progress(
            "training",
            _TOKENIZED + (_TRAINED - _TOKENIZED) * step / self._steps,
            step=step,
            steps=self._steps,
            loss=round(sum(self._losses) / len(self._losses), 4),
            tokens_per_second=round((step - self._begun) * self._tokens / seconds, 1),
            perplexity=self._perplexity,
        )
        return self._checkpoints.due()

    def stops(self) -> bool:
        """Whether the run was asked to end."""
        return self._speaker.pausing

    def keep(self, facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """Store a checkpoint."""
        self._checkpoints.store(facts, tensors)


def _measured(network: Any, shards: Shards, steps: int) -> dict[str, Any]:
    """The report on a trained network, in the precision that is published."""
    found = measured(network, shards, MOST_MEASURED, MOST_COUNTED)
    part = shards.parts["train"]
    return {
        "parameters": sum(one.numel() for one in network.parameters()),
        "vocabulary": shards.facts["vocabulary"],
        "context": int(network.config.max_position_embeddings),
        "steps": steps,
        "tokens": part.tokens,
        "bytes": part.bytes,
        "held_out": {
            language: {
                "tokens": one.tokens,
                "perplexity": round(math.exp(one.decoder), 3),
                "ngrams": round(math.exp(one.ngrams), 3),
                "bits_per_byte": round(one.bits_per_byte(one.decoder), 4),
            }
            for language, one in found.items()
        },
    }


def _require_better(report: Mapping[str, Any]) -> None:
    parts = report["held_out"].values()
    new, old = (
        sum(part["tokens"] * math.log(part[name]) for part in parts)
        / sum(part["tokens"] for part in parts)
        for name in ("perplexity", "ngrams")
    )
    if new >= old:
        raise RunFailed(
            "not_better",
            f"on the documents held out perplexity is {math.exp(new):.2f}, that of n-grams "
            f"{math.exp(old):.2f}; nothing is published. More text may help, or more steps",
        )
