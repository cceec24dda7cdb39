"""How much each section does: in full, quickly, or scaled for trying the harness out."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts of jobs or texts, and seconds."""

    rounds: int
    backlog: int
    """No-op jobs that are drained."""
    slow_backlog: int
    """The same for systems that drain some hundreds a second."""
    sends: int
    """Jobs for a rate of enqueuing one at a time."""
    bulk: int
    """Jobs for a rate of enqueuing in bulk."""
    texts: int
    """Texts through the model; a multiple of the text mix's block."""
    slow_texts: int
    """The same for systems without length-aware batches; the mix of lengths is the same."""
    light_seconds: float
    """How long light load lasts."""
    urgent_seconds: float
    """How long urgent jobs are sent in each condition."""
    depths: tuple[int, ...]
    """Queue depths."""
    depth_jobs: int
    """Jobs enqueued and drained at each depth."""
    fill_seconds: float
    """Most seconds for filling the queue to one depth."""
    memory_texts: int
    """Texts through one MiniLM worker while its memory is watched."""
    batch_lines: int
    """Lines of the bulk file during which every process is watched."""
    gpu_texts: int
    """Texts through a model on a GPU."""
    webhooks: int
    """Webhooks that one io worker sends to receivers on the same machine."""
    limit: float
    """Seconds after which one measurement has failed."""


FULL: Final = Sizes(
    rounds=3,
    backlog=10_000,
    slow_backlog=4_000,
    sends=3_000,
    bulk=20_000,
    texts=3_000,
    slow_texts=300,
    light_seconds=6.0,
    urgent_seconds=10.0,
    depths=(1_000, 100_000, 1_000_000),
    depth_jobs=5_000,
    fill_seconds=180.0,
    memory_texts=10_000,
    batch_lines=1_000_000,
    gpu_texts=20_000,
    webhooks=20_000,
    limit=300.0,
)
QUICK: Final = Sizes(
    rounds=1,
    backlog=2_000,
    slow_backlog=1_000,
    sends=500,
    bulk=5_000,
    texts=600,
    slow_texts=200,
    light_seconds=8.0,
    urgent_seconds=8.0,
    depths=(1_000, 20_000),
    depth_jobs=2_000,
    fill_seconds=60.0,
    memory_texts=1_000,
    batch_lines=50_000,
    gpu_texts=5_000,
    webhooks=5_000,
    limit=180.0,
)
_UNSCALED = frozenset({"rounds", "limit", "fill_seconds"})
_LEAST = {"light_seconds": 2.0, "urgent_seconds": 3.0}


def scaled(sizes: Sizes, share: float) -> Sizes:
    """Multiply counts and durations by ``share``, keeping at least what makes sense.

    >>> small = scaled(FULL, 0.01)
    >>> small.backlog, small.texts, small.depths, small.light_seconds, small.rounds
    (100, 100, (100, 1000, 10000), 2.0, 3)
    """
    changed: dict[str, object] = {}
    for field in fields(sizes):
        value = getattr(sizes, field.name)
        if field.name in _UNSCALED:
            continue
        if isinstance(value, tuple):
            changed[field.name] = tuple(max(100, round(one * share)) for one in value)
        elif isinstance(value, float):
            changed[field.name] = max(_LEAST[field.name], value * share)
        else:
            changed[field.name] = max(100, round(value * share))
    return replace(sizes, **changed)  # type: ignore[arg-type] # a field keeps its type
