"""The variables between the harness and its children."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.benchmarks.minilm import Classifier

REDIS: Final = "BENCH_REDIS"
"""Redis URL without a database number."""
READY: Final = "BENCH_READY"
"""File that a worker writes the time to once it takes jobs."""
TASK: Final = "BENCH_TASK"
"""Task that a worker serves: ``noop`` or ``minilm``."""
THREADS: Final = "BENCH_THREADS"
"""Torch threads."""
BUDGET: Final = "BENCH_BUDGET"
"""Padded tokens a batch, for systems whose users sort by length themselves."""

ENGINE: Final = "BENCH_ENGINE"
"""``stock`` for transformers' own forward pass, else our engine is lent to everybody."""
FLUSH: Final = "BENCH_FLUSH"
"""Seconds between celery-batches' flushes, where they are not the default."""
FLUSH_SECONDS: Final = 0.01


def redis_url(database: int) -> str:
    """URL of a Redis database: 0 carries messages, 1 results."""
    return f"{os.environ[REDIS]}/{database}"


def mark_ready() -> None:
    """Tell the harness that this worker takes jobs; the first mark counts."""
    path = Path(os.environ[READY])
    if not path.exists():
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(repr(time.time()))
        fresh.rename(path)


def warm_classifier() -> Classifier | None:
    """Load the model and run it once where this worker serves it, else None."""
    if os.environ.get(TASK) != "minilm":
        return None
    import torch

    from tests.benchmarks.minilm import Classifier

    torch.set_num_threads(int(os.environ[THREADS]))
    classifier = Classifier(stock=os.environ.get(ENGINE) == "stock")
    classifier.classify(["One warm text.", "And a longer one, to be on the safe side."])
    return classifier
