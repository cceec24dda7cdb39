"""Stock Celery on Redis, results in Redis, everything else at its defaults."""

from __future__ import annotations

from tests.benchmarks.sides.celery_common import Client, WarmModel, make_app

app = make_app()
model = WarmModel()


@app.task(name="bench.noop")
def noop(text: str) -> int:
    """Count characters."""
    return len(text)


@app.task(name="bench.minilm")
def minilm(text: str) -> list[float]:
    """Score one text."""
    return model.classify([text])[0]


def connect() -> Client:
    """Make a client."""
    return Client(app)
