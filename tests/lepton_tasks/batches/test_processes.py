"""Io workers as processes: one that runs a batch is killed, and another goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import select

from lepton_tasks.settings import Settings
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_tables import BatchRow
from lepton_tasks.store.batches import Batch
from tests.support.shard_worker import ShardWorker, judge
from tests.support.uploads import Yard, asking, request_line

PATIENCE = 120.0
LINES = 9_600
"""More than are in flight at a time."""
SHARD = 32
FIRST = 60
"""Shards that are done when the process dies."""
batches = BatchRow.__table__  # type: ignore[attr-defined]


@contextmanager
def io_worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[str]]:
    """``lepton io``, ready; killed at the end."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton_tasks", "io"],
            env={**os.environ, **settings.environment()},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "io worker ready\n", log.read_text()
            yield process
        finally:
            process.kill()


def until(true: Callable[[], object], step: Callable[[], object]) -> None:
    """Take steps until something is so."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        if not step():
            time.sleep(0.01)


def runner_of(yard: Yard, batch: Batch) -> int:
    """Process id of who runs a batch."""
    with yard.store.database.read() as connection:
        query = select(batches.c.runner).where(batches.c.id == batch.id)
        holder: str = connection.execute(query).scalar_one()
    return int(holder.split(":")[1])


def test_a_batch_outlives_the_process_that_runs_it(yard: Yard, tmp_path: Path) -> None:
    settings = yard.settings.model_copy(update={"lease_seconds": 2.0})
    texts = [f"坏 {number}" if number % 3 else f"crash {number}" for number in range(LINES)]
    worker = ShardWorker(settings.store_url, settings.redis_url)
    with ExitStack() as stack:
        stack.callback(worker.close)
        processes = [
            stack.enter_context(io_worker(settings, tmp_path / f"io-{number}.log"))
            for number in range(2)
        ]
        lines = (request_line(f"c-{number}", asking(text)) for number, text in enumerate(texts))
        batch = yard.order(lines)
        done = 0

        def step() -> int:
            nonlocal done
            done += (count := worker.step(min(4, FIRST - done), newest=False))
            return count

        until(lambda: done == FIRST, step)
        until(lambda: sum(yard.read(batch.id).lines[1:]) == FIRST * SHARD, lambda: False)
        assert yard.read(batch.id).state is BatchState.IN_PROGRESS
        first = runner_of(yard, batch)
        [killed] = [process for process in processes if process.pid == first]
        [other] = [process for process in processes if process.pid != first]
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)
        until(lambda: yard.read(batch.id).state is BatchState.COMPLETED, lambda: worker.step(8))
        other.terminate()
        assert other.wait(PATIENCE) == 0
    ended = yard.read(batch.id)
    outputs = [
        (row["custom_id"], row["response"]["body"]["output"])
        for row in yard.rows(ended.output_file_id)
    ]
    assert outputs == [
        (f"c-{number}", judge(text)) for number, text in enumerate(texts) if "坏" in text
    ]
    errors = [row["custom_id"] for row in yard.rows(ended.error_file_id)]
    assert errors == [f"c-{number}" for number, text in enumerate(texts) if "crash" in text]
    shards = yard.store.batches.next_ordinal("acme", batch.id)
    assert shards == LINES // SHARD
    logs = "".join(log.read_text() for log in tmp_path.glob("io-*.log"))
    assert "Traceback" not in logs
    assert "坏" not in logs
