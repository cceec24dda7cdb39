"""celery-batches on Redis: batches of 64 no-ops or 32 texts, flushed every 10 ms."""

from __future__ import annotations

import os
from typing import Any

from celery_batches import Batches

from tests.benchmarks.sides.celery_common import Client, WarmModel, make_app
from tests.benchmarks.sides.environment import FLUSH, FLUSH_SECONDS

seconds = float(os.environ.get(FLUSH, FLUSH_SECONDS))
app = make_app()
app.conf.worker_prefetch_multiplier = 128  # its manual: more than a batch, or none would fill
model = WarmModel()


@app.task(name="bench.noop", base=Batches, flush_every=64, flush_interval=seconds)
def noop(requests: list[Any]) -> None:
    """Count the characters of each text."""
    for request in requests:
        app.backend.mark_as_done(request.id, len(request.args[0]), request=request)


@app.task(name="bench.minilm", base=Batches, flush_every=32, flush_interval=seconds)
def minilm(requests: list[Any]) -> None:
    """Score the texts as one rectangle."""
    scores = model.classify([request.args[0] for request in requests])
    for request, score in zip(requests, scores, strict=True):
        app.backend.mark_as_done(request.id, score, request=request)


def connect() -> Client:
    """Make a client: that of plain Celery, whose messages are the same."""
    return Client(app)
