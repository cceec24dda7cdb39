"""A run: lines in, shards through the queue, outputs out in input order.

At most about :data:`WINDOW` lines are between input and output at any time, so
neither memory nor Redis nor the queue grows with the file. What makes each line come
out exactly once, whenever this process is killed:

- a shard's batch and ordinal are on its row, so the store knows which shards were
  submitted, and none is submitted twice;
- the journal names a cut up to which the outputs are on disk, and their lengths
  then; a resumed run cuts the outputs back to these lengths, cuts the input again
  and goes on at that cut with the results of the shards that the store has.

The batch is sealed last, so its webhook says that the files are complete.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.feeder import Feeder, InFlight
from lepton_tasks.bulk.outcomes import outcomes_of
from lepton_tasks.bulk.outputs import problem_line, result_line
from lepton_tasks.bulk.plan import readable
from lepton_tasks.bulk.progress import Display, Standing
from lepton_tasks.bulk.shards import Problem, Slot
from lepton_tasks.bulk.summary import Ending, Summary
from lepton_tasks.bulk.workspace import Workspace
from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.jobs import Job
from lepton_tasks.producer import Producer
from lepton_tasks.queues import queue_name
from lepton_tasks.states import BatchState

WINDOW: Final = 4_096
"""Lines in flight."""
_PAGE_SHARDS: Final = 32
_POLL_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.02
_CHECKPOINT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 10.0


class BatchRun:
    """One run over one file. Set ``stop`` to end it early; what is done is kept."""

    def __init__(
        self,
        workspace: Workspace,
        producer: Producer,
        display: Display,
        stop: threading.Event,
        watch: Callable[[], object] = lambda: None,
        *,
        window: int = WINDOW,
        checkpoint_seconds: float = _CHECKPOINT_SECONDS,
    ) -> None:
        """Prepare a run; ``watch`` is called while waiting and raises to end it."""
        self._workspace = workspace
        self._plan = workspace.plan
        self._journal = workspace.journal
        self._producer = producer
        self._store = producer.store
        self._tenant = producer.settings.default_tenant
        self._display = display
        self._stop = stop
        self._watch = watch
        self._window = window
        self._checkpoint_seconds = checkpoint_seconds

        self._flying: deque[InFlight] = deque()
        self._lines_in_flight = 0
        self._next_cut = self._journal.next_cut
        self._position = 0
        self._old_lines = self._journal.tally.lines
        self._old_seconds = self._journal.seconds
        self._began = self._checkpointed = self._looked = time.monotonic()
        self._workers_seen = True
        self._told_of_backlog = False

    def run(self) -> Summary:
        """Run to the end, or until stopped.

        Raises:
            InvalidInput: this store does not know the batch that should be resumed.
            LeptonError: the store, the disk or the system failed; the run can be resumed.
        """
        if self._workspace.abandoned is not None:
            self._store.batches.cancel(self._tenant, self._workspace.abandoned)
        self._open_batch()
        self._look_for_workers()
        with self._plan.reader() as reader:
            feeder = Feeder(
                self._plan, self._producer, reader, self._journal.batch_id, self._next_cut
            )
            while not self._stop.is_set():
                self._fill(feeder)
                moved = self._collect()
                self._show(reader.size)
                if feeder.exhausted and not self._flying:
                    return self._finish(feeder.broken)
                if not moved:
                    self._wait()
            self._collect()
        self._checkpoint()
        return self._summary(Ending.INTERRUPTED)

    def _open_batch(self) -> None:
        batches, batch_id = self._store.batches, self._journal.batch_id
        try:
            batches.get(self._tenant, batch_id)
        except NotFound as error:
            if self._journal.next_cut:
                raise InvalidInput(
                    f"this store has no {batch_id}; set LEPTON_HOME and LEPTON_DATABASE_URL as "
                    "they were when the run began, or start over with --overwrite",
                    "--resume",
                ) from error
            batches.create(
                self._tenant,
                batch_id,
                self._plan.task.name,
                self._plan.priority,
                readable(Path(self._plan.source.name)),
                self._plan.webhook,
            )

    def _fill(self, feeder: Feeder) -> None:
        """Fill the window, but not for the sake of single shards."""
        room = self._window - self._lines_in_flight
        if feeder.exhausted or room < self._window // 4:
            return
        for cut in feeder.feed(room, self._stop):
            self._flying.append(cut)
            self._lines_in_flight += len(cut.slots)
        self._tell_of_backlog(feeder.waited)

    def _tell_of_backlog(self, waited: float) -> None:
        """Tell once when there is no room for long, and once when there is again."""
        if waited > _PATIENCE_SECONDS and not self._told_of_backlog:
            queue = queue_name(self._plan.task.name, self._plan.priority)
            self._display.note(
                f"{queue} holds as many jobs of tenant {self._tenant} as it may "
                "(LEPTON_TENANT_BACKLOG). Waiting…"
            )
        elif waited == 0 and self._told_of_backlog:
            self._display.note("there is room again")
        self._told_of_backlog = waited > _PATIENCE_SECONDS

    def _collect(self) -> bool:
        """Write what is done, in order, up to the first shard that is not; True if any was."""
        finished: deque[Job] = deque()
        before = self._next_cut
        while self._flying:
            head = self._flying[0]
            outcomes: Sequence[Any] = ()
            if head.ordinal is not None:
                if not finished:
                    finished.extend(
                        self._store.jobs.shards(
                            self._tenant, self._journal.batch_id, head.ordinal, _PAGE_SHARDS
                        )
                    )
                if not finished:
                    break
                outcomes = outcomes_of(finished.popleft())
            self._write(head.slots, outcomes)
            self._flying.popleft()
            self._lines_in_flight -= len(head.slots)
            self._next_cut = head.number + 1
            self._position = head.position
        moved = self._next_cut > before
        if moved:
            self._looked = time.monotonic()
            if self._looked >= self._checkpointed + self._checkpoint_seconds:
                self._checkpoint()
        return moved

    def _write(self, slots: Sequence[Slot], outcomes: Sequence[Any]) -> None:
        good = sum(slot.problem is None for slot in slots)
        if len(outcomes) != good:
            raise RunStopped(f"a shard has {len(outcomes)} outputs for {good} lines of the input")
        tally = self._journal.tally
        results, problems = [], []
        left = iter(outcomes)
        for slot in slots:
            outcome = next(left) if slot.problem is None else slot.problem
            if isinstance(outcome, Problem):
                problems.append(problem_line(slot, outcome))
                tally.add_error(outcome.code)
            else:
                results.append(result_line(slot, outcome))
                tally.add_output(outcome)
        self._workspace.outputs.write(b"".join(results), b"".join(problems))

    def _wait(self) -> None:
        """Sleep until some job has ended; a little longer, so that more have."""
        self._watch()
        self._producer.wait_for_any(_POLL_SECONDS)
        self._stop.wait(_SETTLE_SECONDS)
        if time.monotonic() > self._looked + _PATIENCE_SECONDS:
            self._look_for_workers()

    def _look_for_workers(self) -> None:
        """Tell once when nobody is there to do the task, and once when somebody is again."""
        self._looked = time.monotonic()
        name = self._plan.task.name
        seen = any(name in worker.tasks for worker in self._store.leases.alive())
        if not seen and self._workers_seen:
            self._display.note(
                f"no worker for {name} is running; start one with `lepton worker --tasks {name}`. "
                "Waiting…"
            )
        elif seen and not self._workers_seen:
            self._display.note(f"a worker for {name} is running")
        self._workers_seen = seen

    def _checkpoint(self) -> None:
        self._workspace.checkpoint(self._next_cut, self._seconds)
        self._checkpointed = time.monotonic()

    def _finish(self, broken: bool) -> Summary:
        self._checkpoint()
        batches, batch_id = self._store.batches, self._journal.batch_id
        lines = self._journal.tally.lines
        refused = lines - batches.get(self._tenant, batch_id).done_items
        batches.seal(self._tenant, batch_id, lines, refused)
        self._workspace.finish()
        if batches.get(self._tenant, batch_id).state is BatchState.CANCELLED:
            return self._summary(Ending.CANCELLED)
        return self._summary(Ending.INCOMPLETE if broken else Ending.COMPLETED)

    @property
    def _seconds(self) -> float:
        return self._old_seconds + time.monotonic() - self._began

    def _show(self, size: int) -> None:
        tally = self._journal.tally
        self._display.show(
            Standing(
                done=self._position,
                size=size,
                lines=tally.lines,
                errors=tally.errors,
                flagged_share=tally.flagged_share,
                fresh_lines=tally.lines - self._old_lines,
                seconds=time.monotonic() - self._began,
            )
        )

    def _summary(self, ending: Ending) -> Summary:
        return Summary(
            self._journal.batch_id,
            ending,
            readable(self._plan.out),
            readable(self._plan.errors),
            self._journal.tally,
            self._seconds,
        )
