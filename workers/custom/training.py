"""A training from its request to a folder that can be published, with its report."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import torch

from lepton_tasks.nlp.training import HeldOut, TrainingOptions
from workers.catalogue.entries import CatalogueEntry
from workers.custom.base import Ground, check_labels, find_ground
from workers.custom.card import card, headline
from workers.custom.keeper import Keeper
from workers.custom.languages import scarce
from workers.custom.learning import Learner
from workers.custom.making import TUNING, Maker
from workers.custom.measuring import majority, measure, predict
from workers.custom.naming import command_of, serves_at_once
from workers.custom.rows import Split, read_rows, split_rows
from workers.engines.loader import load_engine
from workers.longruns.checkpoints import Checkpoints
from workers.longruns.child import Request, RunFailed, Speaker
from workers.longruns.engine import REVISION
from workers.longruns.process import MODEL_FOLDER

HOLDOUT: Final = 0.2
_MOST_THREADS: Final = 4
_TRAINED: Final = 0.9
"""Share of the progress at which measuring begins."""
_STAGES: Final = {"ngram-head": 1, "encoder-head": 3, "lora": 3, "top-layers": 3}
"""Parts of a language's training, about: encoding, heads, layers."""


class Pace:
    """Makes one fraction, which never falls, of the shares of a training's parts."""

    def __init__(self, speaker: Speaker, parts: int, rows: int) -> None:
        """``parts`` is how many there will be, about."""
        self._speaker = speaker
        self._parts = parts
        self._rows = rows
        self._shares: dict[tuple[str, str], float] = {}
        self._fraction = 0.0

    def __call__(self, unit: str, stage: str, share: float, **figures: float | None) -> None:
        """Say that ``share`` of a part is done."""
        self._shares[unit, stage] = share
        parts = max(self._parts, len(self._shares))
        self._fraction = max(self._fraction, sum(self._shares.values()) / parts)
        self._speaker.progress(stage, _TRAINED * self._fraction, rows=self._rows, **figures)


def train(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Train, measure and write what is asked for.

    Raises:
        RunFailed: the rows or options cannot be trained with, or the result is no better.
        Paused: the run was asked to end, and is stored.
    """
    began = time.monotonic()
    settings = request.settings
    torch.set_num_threads(settings.threads or min(_MOST_THREADS, os.cpu_count() or 1))
    options = TrainingOptions.model_validate(request.options)
    speaker.progress("reading", 0.0)
    rows = read_rows(request.item, settings.data_folder, options.language)
    split = split_rows(rows, options.holdout or HOLDOUT, options.seed)
    ground = find_ground(options, settings)
    check_labels(ground.task, split.labels)
    keeper = Keeper(Checkpoints(request.folder, _identity(options, split, ground)), speaker)
    folder = request.folder / MODEL_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    facts = {
        "task": ground.task,
        "engine": "text-classifier",
        "seed": options.seed,
        "method": options.method,
    }
    goes_on = ground.base is not None and ground.base.knows(set(split.labels))
    languages = {row.language for row in split.train}
    stages = _STAGES[options.method] + (goes_on and options.method not in TUNING)
    pace = Pace(speaker, len(languages) * stages, len(split.train))
    maker = Maker(options, ground, Learner(keeper), pace)
    if goes_on and ground.base is not None:
        maker.change(ground.base, split.train, folder, facts)
    else:
        maker.make(split.train, folder, facts)
    entry = _entry(options, ground, folder, goes_on)
    figures = _measured(entry, ground, split, goes_on, folder, speaker)
    if options.require_better:
        _require_better(figures, goes_on)
    counts = dict(sorted(Counter(row.language for row in rows).items()))
    output = {
        "model": options.model,
        "task": ground.task,
        "method": options.method,
        "labels": split.labels,
        "languages": sorted(counts),
        "rows": counts,
        "warnings": scarce(counts, "rows"),
        "trained": len(split.train),
        "held_out": len(split.held_out),
        **figures,
        "resumed": keeper.resumed,
        "seconds": round(time.monotonic() - began, 1),
    }
    report = {
        "headline": headline(output),
        **output,
        "seed": options.seed,
        "command": command_of(request.item, options),
        "options": options.model_dump(mode="json"),
        "texts": split.digest(),
    }
    text = card(options, output, None if ground.base is None else ground.base.entry, goes_on)
    (folder / "CARD.md").write_text(text, encoding="utf-8")
    serve = serves_at_once(options, settings)
    made = {"model": options.model, "entry": entry, "report": report, "serve": serve}
    return {"output": output, "made": made}


def _identity(options: TrainingOptions, split: Split, ground: Ground) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    base = None if ground.base is None else ground.base.folder.revision
    what = [
        REVISION,
        options.model_dump(mode="json"),
        split.digest(),
        base,
        torch.get_num_threads(),
    ]
    return hashlib.sha256(orjson.dumps(what)).hexdigest()


def _entry(options: TrainingOptions, ground: Ground, folder: Path, goes_on: bool) -> dict[str, Any]:
    """The catalogue's fields of what was made."""
    entry: dict[str, Any] = {"task": ground.task, "engine": "text-classifier"}
    config = orjson.loads((folder / "config.json").read_bytes())
    needs = any(part["encoder"] for part in config["languages"].values())
    if needs and ground.encoder_entry is not None:
        named = ground.encoder_entry
        entry["max_tokens"] = named.max_tokens
        if named.encoder_package is not None:
            entry["encoder_package"] = named.encoder_package
        else:
            entry["encoder_folder"] = str(named.encoder_folder)
    if goes_on and ground.base is not None and ground.base.entry.demo:
        entry["demo"] = True
    return entry


def _measured(
    entry: Mapping[str, Any],
    ground: Ground,
    split: Split,
    goes_on: bool,
    folder: Path,
    speaker: Speaker,
) -> dict[str, Any]:
    """How the written model, its base and the commonest label do on what was held out."""
    truth = [row.label for row in split.held_out]

    def share(before: float, part: float) -> Any:
        return lambda done: speaker.progress("measuring", before + part * done)

    written = CatalogueEntry.model_validate({**entry, "name": "made", "folder": folder})
    engine = load_engine(written.task, {"made": written}, "cpu", "made")
    found = predict(engine, split.held_out, share(_TRAINED, 0.05))
    base: HeldOut | None = None
    if goes_on and ground.base is not None:
        said = predict(ground.base.engine, split.held_out, share(_TRAINED + 0.05, 0.04))
        base = measure(truth, said)
    return {
        "new": measure(truth, found).model_dump(),
        "base": None if base is None else base.model_dump(),
        "majority": majority(split.train, split.held_out).model_dump(),
    }


def _require_better(figures: Mapping[str, Any], goes_on: bool) -> None:
    against = "base" if goes_on else "majority"
    new, old = figures["new"]["f1"], figures[against]["f1"]
    if new <= old or figures["new"]["accuracy"] < figures[against]["accuracy"]:
        what = "its base" if goes_on else "always saying the commonest label"
        raise RunFailed(
            "not_better",
            f"on the rows held out macro-F1 is {new:.4f} and accuracy "
            f"{figures['new']['accuracy']:.4f}, those of {what} {old:.4f} and "
            f"{figures[against]['accuracy']:.4f}; nothing is published. More rows may help, or "
            "another method",
        )
