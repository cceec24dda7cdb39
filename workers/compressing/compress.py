"""A compression from its request to a folder that can be published, with what it cost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save

from lepton_tasks.nlp.base import ModelInput
from lepton_tasks.nlp.clean import clean_text
from lepton_tasks.nlp.compression import CompressionOptions
from lepton_tasks.nlp.language import detect_language
from workers.catalogue.entries import CatalogueEntry, load_catalogue
from workers.engines.base import Engine, Raw
from workers.engines.eight_bits import from_eight_bits, in_eight_bits
from workers.engines.folder import CONFIG, WEIGHTS
from workers.engines.loader import load_engine
from workers.engines.trunks import Trunks
from workers.longruns.child import Request, RunFailed, Speaker
from workers.longruns.process import MODEL_FOLDER

_AT_ONCE: Final = 64
_TURNS: Final = 3


def compress(request: Request, speaker: Speaker) -> Mapping[str, Any]:
    """Compress, compare and write what is asked for.

    Raises:
        RunFailed: there is no such classifier, or its answers would change too much.
    """
    options = CompressionOptions.model_validate(request.options)
    torch.set_num_threads(request.settings.threads or 1)
    speaker.progress("reading", 0.0)
    catalogue = load_catalogue(request.settings)
    entry = catalogue.get(options.model)
    if entry is None or entry.engine != "text-classifier":
        known = sorted(one.name for one in catalogue.values() if one.engine == "text-classifier")
        raise RunFailed(
            "wrong_model",
            f"{options.model!r} is no text classifier of the catalogue; those are "
            f"{', '.join(known)}",
        )
    source, folder = entry.model_folder, request.folder / MODEL_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(source / CONFIG, folder / CONFIG)
    (folder / WEIGHTS).write_bytes(save(_stored(source / WEIGHTS, options.to)))
    before, after = ((place / WEIGHTS).stat().st_size for place in (source, folder))
    if after >= before:
        raise RunFailed(
            "nothing_gained", f"the weights are as small already as {options.to} makes them"
        )
    inputs = _inputs(request.item["texts"], options.language)
    trunks = Trunks()
    old, new = (
        load_engine(one.task, {one.name: one}, "cpu", one.name, trunks)
        for one in (entry, entry.model_copy(update={"folder": folder}))
    )
    figures = _compared(old, new, inputs, speaker)
    if figures["max_drift"] > options.max_drift or figures["flips"] > options.max_flips:
        raise RunFailed(
            "too_far",
            f"scores move by up to {figures['max_drift']:.4f} (max_drift {options.max_drift:g}), "
            f"and {figures['flips']:.2%} of the texts get another label (max_flips "
            f"{options.max_flips:.2%}); nothing is published",
        )
    output = {
        "model": options.model,
        "to": options.to,
        "texts": len(inputs),
        **figures,
        "bytes_before": before,
        "bytes": after,
    }
    (folder / "CARD.md").write_text(_card(source, output), encoding="utf-8")
    made = {
        "model": options.model,
        "entry": _entry(entry),
        "report": {
            "headline": _headline(output),
            **output,
            "of": old.revision,
            "options": options.model_dump(mode="json"),
        },
        "serve": options.serve,
    }
    return {"output": output, "made": made}


def _stored(weights: Path, bits: str) -> dict[str, torch.Tensor]:
    tensors = from_eight_bits(load_file(weights))
    if bits == "int8":
        return in_eight_bits(tensors)
    return {
        name: one.half() if one.ndim > 1 and one.is_floating_point() else one
        for name, one in tensors.items()
    }


def _inputs(texts: Sequence[str], language: str | None) -> list[ModelInput]:
    cleaned = [clean_text(text) for text in texts]
    return [ModelInput(text, language or detect_language(text)) for text in cleaned]


def _compared(
    old: Engine, new: Engine, inputs: Sequence[ModelInput], speaker: Speaker
) -> dict[str, float]:
    """How scores and labels differ, and how fast the new one is; both run in turns."""
    taken = {old: 0.0, new: 0.0}
    answers: dict[Engine, list[Raw]] = {}
    for turn in range(_TURNS):
        for engine in (old, new) if turn % 2 else (new, old):
            began = time.process_time()
            answers[engine] = _answered(engine, inputs)
            taken[engine] += time.process_time() - began
        speaker.progress("comparing", (turn + 1) / (_TURNS + 1), rows=len(inputs))
    pairs = list(zip(answers[old], answers[new], strict=True))
    moves = [abs(one[label] - other[label]) for one, other in pairs for label in one]
    flips = sum(_first(one) != _first(other) for one, other in pairs)
    return {
        "max_drift": round(max(moves), 6),
        "mean_drift": round(sum(moves) / len(moves), 6),
        "flips": round(flips / len(pairs), 6),
        "speed": round(taken[old] / max(taken[new], 1e-9), 3),
    }


def _answered(engine: Engine, inputs: Sequence[ModelInput]) -> list[Raw]:
    found: list[Raw] = []
    for start in range(0, len(inputs), _AT_ONCE):
        found += engine.forward(engine.tokenize(inputs[start : start + _AT_ONCE]))
    return found


def _first(scores: Raw) -> str:
    return max(scores, key=lambda label: scores[label])


def _entry(entry: CatalogueEntry) -> dict[str, Any]:
    """The fields of the compressed model: the same but for where it lies."""
    left_out = {"name", "default", "folder", "hub", "revision"}
    return entry.model_dump(mode="json", exclude=left_out, exclude_defaults=True)


def _headline(output: Mapping[str, Any]) -> str:
    return (
        f"{output['to']}, {output['bytes'] / output['bytes_before']:.0%} of the size; on "
        f"{output['texts']:,} texts drift {output['max_drift']:.4f} at most, "
        f"{output['flips']:.2%} other labels"
    )


def _card(source: Path, output: Mapping[str, Any]) -> str:
    card = source / "CARD.md"
    before = card.read_text(encoding="utf-8") if card.is_file() else f"# {output['model']}\n"
    return (
        f"{before.rstrip()}\n\n## Compressed\n\n"
        f"Weights stored as {output['to']}: {output['bytes']:,} bytes of "
        f"{output['bytes_before']:,}. "
        f"On {output['texts']:,} texts no score moved by more than {output['max_drift']:.4f} "
        f"({output['mean_drift']:.4f} on average), and {output['flips']:.2%} got another label. "
        f"The figures above are those of the model as it was.\n"
    )
