"""One text after the other to the default moderation model: over HTTP, and bare."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.benchmarks.texts import text

_WARM = 10


def calls(url: str, key: str, count: int, pause: float) -> dict[str, list[float]]:
    """Milliseconds of ``POST /v1/moderations`` by the stock client, ``pause`` seconds between."""
    from openai import OpenAI

    client = OpenAI(base_url=f"{url}/v1", api_key=key)
    return _timed(lambda one: client.moderations.create(input=one), count, pause)


def forwards(threads: int, count: int, pause: float) -> dict[str, list[float]]:
    """Milliseconds of the model's forward pass alone, of the same texts."""
    import torch

    from lepton_tasks.nlp.registry import get_task
    from workers.offline import shipped_engine

    torch.set_num_threads(threads)
    task, engine = get_task("moderation"), shipped_engine("moderation")
    options = task.options_model()

    def forward(one: str) -> float:
        encoded = engine.tokenize([task.encode(one, options)])
        began = time.perf_counter()
        engine.forward(encoded)
        return began

    return _timed(forward, count, pause)


def _timed(ask: Callable[[str], object], count: int, pause: float) -> dict[str, list[float]]:
    """``ask`` may answer with a time from which to count."""
    found = []
    for number in range(_WARM + count):
        time.sleep(pause)
        began = time.perf_counter()
        later = ask(text(number))
        ended = time.perf_counter()
        found.append((ended - (later if isinstance(later, float) else began)) * 1e3)
    return {"milliseconds": found[_WARM:]}
