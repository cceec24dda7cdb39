"""The model without any system around it: what the hardware gives."""

from __future__ import annotations

import time

import torch

from tests.benchmarks.minilm import Classifier
from tests.benchmarks.texts import texts

_NAIVE = 32
_WARM_TEXTS = 64


def loop(
    count: int, order: str, budget: int, threads: int, device: str, engine: str
) -> dict[str, float]:
    """Score ``count`` texts, tokenising included; loading and warming up are not counted.

    ``order`` is ``sorted`` (all texts by length, in rectangles of ``budget`` padded
    tokens) or ``arrival`` (32 at a time as they come). ``engine`` is ``ours`` or ``stock``.
    """
    torch.set_num_threads(threads)
    classifier = Classifier(device, stock=engine == "stock")
    everything = list(texts(count))
    classifier.classify_sorted(everything[:_WARM_TEXTS], budget)
    began, cpu = time.perf_counter(), time.process_time()
    if order == "sorted":
        classifier.classify_sorted(everything, budget)
    else:
        for start in range(0, count, _NAIVE):
            classifier.classify(everything[start : start + _NAIVE])
    return {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}


def cuda() -> dict[str, str]:
    """Name of the CUDA device, empty where there is none."""
    return {"name": torch.cuda.get_device_name() if torch.cuda.is_available() else ""}
