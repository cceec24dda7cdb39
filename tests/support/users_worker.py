"""A stock Celery worker process of somebody's own application."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from lepton_tasks.settings import Settings

_START_SECONDS = 90.0
_NODE = "users@test"


def users_producer(settings: Settings) -> Celery:
    """A stock producer: two addresses and routes, all of it plain values."""
    app = Celery(
        broker=settings.redis_url,
        backend=f"lepton_tasks.celery.backend:StoreBackend+{settings.store_url}",
        set_as_current=False,
    )
    app.conf.update(
        task_routes={
            "lepton.noop": {"queue": "noop.normal"},
            "users.*": {"queue": "users"},
        }
    )
    return app


@contextmanager
def users_worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the worker of `tests.support.users_app` until the block ends."""
    app = users_producer(settings)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "tests.support.users_app", "worker"),
                *("--pool", "solo", "-Q", "users", "-n", _NODE, "-l", "INFO"),
            ],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
                "USERS_BROKER": settings.redis_url,
                "USERS_BACKEND": str(app.conf.result_backend or app.backend.as_uri(True)),
            },
            cwd=Path(__file__).parents[2],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while not _answers(app):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the worker did not start:\n{log.read_text()[-4000:]}")
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(app: Celery) -> Any:
    return app.control.inspect([_NODE], timeout=0.5, limit=1).ping()
