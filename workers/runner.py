"""The model's thread: takes the best micro-batch the moment the model is free."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from workers.budget import TokenBudget
from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory
from workers.finisher import Finisher
from workers.progress import open_progress
from workers.reporter import Reporter
from workers.text_free import describe
from workers.vital import vital_thread
from workers.work import HeldJob, Item, WorkQueue

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 1.0
_LEASE_POLL_SECONDS = 0.1

Scores = Mapping[str, float]


class Runner:
    """Runs micro-batches until it is stopped; an item that raises costs only itself."""

    def __init__(
        self,
        queue: WorkQueue,
        finisher: Finisher,
        reporter: Reporter,
        budget: TokenBudget,
        may_start: Callable[[], bool],
    ) -> None:
        """``may_start`` says whether the lease is fresh enough to begin a micro-batch."""
        self._queue = queue
        self._finisher = finisher
        self._reporter = reporter
        self._budget = budget
        self._may_start = may_start
        self._progress = open_progress()
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
            leaders = self._queue.take(self._tokens, _IDLE_SECONDS)
            if leaders:
                self._begin([item for leader in leaders for item in leader.with_followers()])
                for leader, outcome in zip(leaders, self._compute(leaders), strict=True):
                    for item in leader.with_followers():
                        self._finish(item, outcome)

    def _tokens(self, urgent: bool) -> int:
        now = time.monotonic()
        if urgent:
            self._budget.saw_urgent(now)
        return self._budget.tokens(now)

    def _compute(self, leaders: Sequence[Item]) -> list[Scores | Exception]:
        began = time.monotonic()
        with self._progress.busy():
            outcomes = bisecting(leaders, _forward, self._budget.out_of_memory)
        padded = max(item.encoded.length for item in leaders) * len(leaders)
        self._budget.observe(padded, time.monotonic() - began)
        return outcomes

    def _begin(self, items: Sequence[Item]) -> None:
        moment = time.monotonic()
        fresh: dict[HeldJob, None] = {}
        for item in items:
            if item.job.started_at is None:
                item.job.started_at = moment
                fresh[item.job] = None
        if fresh:
            self._reporter.started([job.request for job in fresh])
        else:
            self._reporter.wake()  # the window has room again

    def _finish(self, item: Item, outcome: Scores | Exception) -> None:
        job = item.job
        if isinstance(outcome, Exception):
            done = job.fail_item(item.place, "model_error", f"the model raised {_name(outcome)}")
        else:
            try:
                output = job.task.decode(outcome, item.model_input, job.options)
                done = job.complete(item.place, output.model_dump_json().encode())
            except Exception as error:  # noqa: BLE001 - one item's failure is an outcome
                done = job.fail_item(
                    item.place, "decoding_failed", f"decoding raised {_name(error)}"
                )
        if done:
            self._finisher.put(job, item.engine)


def bisecting(
    items: Sequence[Item],
    forward: Callable[[Sequence[Item]], Sequence[Scores]],
    out_of_memory: Callable[[], None],
) -> list[Scores | Exception]:
    """Run ``items`` together; where that raises, find the culprits by halving.

    Running out of memory halves too and is reported to ``out_of_memory``. A fault of
    the CUDA context is not survivable: it propagates and ends the process, because
    every later answer of that context would be wrong or fail.

    Returns:
        One outcome an item, in order. One raising item among N costs at most
        2·log2(N) + 1 forward passes.
    """
    try:
        return list(forward(items))
    except Exception as error:
        if is_device_fault(error):
            raise DeviceFault(describe(error)) from error
        if is_out_of_memory(error) and len(items) > 1:
            out_of_memory()
        elif len(items) == 1:
            logger.warning("job %s: the model raised %s", items[0].job.claim.id, describe(error))
            return [error]
    middle = len(items) // 2
    return bisecting(items[:middle], forward, out_of_memory) + bisecting(
        items[middle:], forward, out_of_memory
    )


def _forward(items: Sequence[Item]) -> Sequence[Scores]:
    return items[0].engine.forward([item.encoded for item in items])


def _name(error: Exception) -> str:
    return type(error).__name__
