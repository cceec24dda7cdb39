"""mosec over HTTP, its dynamic batching, and an expert's sorting by length inside a batch."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mosec import Server, Worker

from tests.benchmarks.sides.environment import BUDGET, warm_classifier
from tests.benchmarks.texts import text

PORT = "MOSEC_PORT"
MOST_AT_ONCE = 64
WAIT_MS = 10


class Encoder(Worker):  # type: ignore[misc] # mosec is not installed where types are checked
    """One model process behind the HTTP front."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier: Any = warm_classifier()
        self.budget = int(os.environ[BUDGET])

    def forward(self, data: list[Any]) -> list[Any]:
        """Score a batch in rectangles of similar length, results in request order."""
        scores = self.classifier.classify_sorted([one["text"] for one in data], self.budget)
        return [{"scores": score} for score in scores]


def load(count: int, clients: int, seconds: float) -> dict[str, float]:
    """Send ``count`` texts from ``clients`` callers, each waiting for its answer; their rate."""
    local = threading.local()
    port = int(os.environ[PORT])

    def ask(number: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        body = json.dumps({"text": text(number)})
        local.connection.request("POST", "/inference", body)
        answer = local.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status}: {content[:200]!r}")

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(ask, range(count)))
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Encoder, num=1, max_batch_size=MOST_AT_ONCE, max_wait_time=WAIT_MS)
    server.run()
