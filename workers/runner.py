"""The model's thread: takes the best micro-batch the moment the model is free."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from workers.budget import LaneBudgets
from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory
from workers.engines.base import Lane
from workers.errors import TemporaryFailure
from workers.finisher import Finisher
from workers.held import HeldJob, Item
from workers.outcomes import CANCELLED, Done, Outcome, raised
from workers.progress import Progress
from workers.reporter import Reporter
from workers.text_free import describe
from workers.vital import vital_thread
from workers.work import MicroBatch, WorkQueue

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0
_LEASE_POLL_SECONDS = 0.1


class Runner:
    """Runs micro-batches until it is stopped; an item that raises costs only itself."""

    def __init__(
        self,
        queue: WorkQueue,
        finisher: Finisher,
        reporter: Reporter,
        budgets: LaneBudgets[Lane],
        progress: Progress,
        may_start: Callable[[], bool],
        is_revoked: Callable[[str], bool],
        taken: Callable[[], None],
    ) -> None:
        """``may_start`` says whether the lease is fresh enough to begin a micro-batch.

        ``is_revoked`` says of a job's id whether Celery was told to revoke it, and
        ``taken`` is called when a micro-batch is about to run. ``progress`` tells a
        supervisor that one runs, and of which inputs.
        """
        self._queue = queue
        self._finisher = finisher
        self._reporter = reporter
        self._budgets = budgets
        self._may_start = may_start
        self._is_revoked = is_revoked
        self._taken = taken
        self._progress = progress
        self._stopping = threading.Event()
        self._thread = vital_thread(self._run, "model")

    def start(self) -> None:
        """Begin to take micro-batches."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the micro-batch on the device and stop."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._may_start():
                self._stopping.wait(_LEASE_POLL_SECONDS)
                continue
            batch = self._queue.take(_IDLE_SECONDS)
            if batch is not None and self._is_time():  # this process may have slept meanwhile
                self._run_batch(batch)

    def _is_time(self) -> bool:
        """Wait until the lease is fresh; False when it is time to stop.

        What was taken and never began is free when the lease ends.
        """
        while not self._may_start():
            if self._stopping.wait(_LEASE_POLL_SECONDS):
                return False
        return True

    def _run_batch(self, batch: MicroBatch) -> None:
        groups = [list(leader.with_followers()) for leader in batch.items]
        self._note_revoked([item.job for group in groups for item in group])
        dropped = [item for group in groups for item in group if item.job.cancelled]
        if dropped:
            self._finisher.put([(item, CANCELLED) for item in dropped])
            alive = [[item for item in group if not item.job.cancelled] for group in groups]
            groups = [group for group in alive if group]
            batch = MicroBatch([group[0] for group in groups], None)
        if not groups:
            return
        self._reporter.begin([item for group in groups for item in group])
        self._taken()
        outcomes = self._compute(batch)
        self._finisher.put(
            [
                (item, outcome)
                for group, outcome in zip(groups, outcomes, strict=True)
                for item in group
            ]
        )

    def _note_revoked(self, jobs: Sequence[HeldJob]) -> None:
        for job in jobs:
            if not job.cancelled and self._is_revoked(job.claim.id):
                job.cancelled = True

    def _compute(self, batch: MicroBatch) -> list[Outcome]:
        budget = self._budgets.of(batch.items[0].engine.lane)
        began = time.monotonic()
        with self._progress.busy():
            outcomes = bisecting(batch.items, batch.prepared, self._forward, budget.out_of_memory)
        self._progress.device.clear()  # not where a fault ends the process: its cause stays named
        padded = max(item.encoded.length for item in batch.items) * len(batch.items)
        budget.observe(padded, time.monotonic() - began)
        return outcomes

    def _forward(self, items: Sequence[Item], prepared: Any) -> Sequence[Any]:
        self._progress.device.hold(one.name for item in items for one in item.with_followers())
        lane = items[0].engine.lane
        return lane.compute(prepare(items) if prepared is None else prepared)


def bisecting(
    items: Sequence[Item],
    prepared: Any,
    compute: Callable[[Sequence[Item], Any], Sequence[Any]],
    out_of_memory: Callable[[], None],
) -> list[Outcome]:
    """Compute ``items`` together; where that raises, find the culprits by halving.

    ``prepared`` is what was made ready for all of them, None for nothing; halves are
    prepared anew. Running out of memory halves too and is reported to ``out_of_memory``;
    what is away for now (TemporaryFailure) is away for all of them and not asked again.
    A fault of the CUDA context is not survivable: it propagates and ends the process,
    because every later answer of that context would be wrong or fail.

    Returns:
        One outcome an item, in order. One raising item among N costs at most
        2·log2(N) + 1 forward passes.
    """
    try:
        return [Done(raw) for raw in compute(items, prepared)]
    except Exception as error:
        if is_device_fault(error):
            raise DeviceFault(describe(error)) from error
        if isinstance(error, TemporaryFailure):
            logger.warning("%d inputs: the model raised %s", len(items), describe(error))
            return [raised(error)] * len(items)
        if is_out_of_memory(error) and len(items) > 1:
            out_of_memory()
        elif len(items) == 1:
            logger.warning("job %s: the model raised %s", items[0].job.claim.id, describe(error))
            return [raised(error)]
    middle = len(items) // 2
    return bisecting(items[:middle], None, compute, out_of_memory) + bisecting(
        items[middle:], None, compute, out_of_memory
    )


def prepare(items: Sequence[Item]) -> Any:
    """Make the tensors of a micro-batch, all of one lane."""
    return items[0].engine.lane.prepare([(item.engine, item.encoded) for item in items])
