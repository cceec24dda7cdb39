"""A run: lines in, shards through the queue, outputs out in input order.

What makes each line come out exactly once, whenever this process is killed:

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from lepton_tasks.bulk.conveyor import WINDOW, Conveyor, Dealt
from lepton_tasks.bulk.feeder import Feeder
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.outcomes import CANCELLED
from lepton_tasks.bulk.outputs import problem_line, result_line
from lepton_tasks.bulk.plan import Plan, readable
from lepton_tasks.bulk.progress import Display, Standing
from lepton_tasks.bulk.shards import Shard, cut_lines
from lepton_tasks.bulk.summary import Ending, Summary
from lepton_tasks.bulk.workspace import Workspace
from lepton_tasks.errors import InvalidInput, NotFound
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.producer import Producer
from lepton_tasks.queues import queue_name
from lepton_tasks.states import BatchState

_POLL_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.02
_CHECKPOINT_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class PlannedErrand:
    """The shards of a plan: all ask the same."""

    plan: Plan
    producer: Producer
    batch_id: str

    @property
    def tenant(self) -> str:
        """Commands are run by the default tenant."""
        return self.producer.settings.default_tenant

    def job(self, shard: Shard, ordinal: int) -> NewJob:
        """Make the job of a shard."""
        plan = self.plan
        return NewJob(
            tenant=self.tenant,
            task=plan.task.name,
            payload=Payload(shard.items, single=False, options=plan.options),
            cost=plan.task.job_cost(shard.items, plan.options),
            priority=plan.priority,
            batch_id=self.batch_id,
            ordinal=ordinal,
        )

    def given_up(self) -> Problem | None:
        """No new shard is submitted once the batch was cancelled."""
        batch = self.producer.store.batches.get(self.tenant, self.batch_id)
        return CANCELLED if batch.state is BatchState.CANCELLED else None


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
        errand = PlannedErrand(self._plan, self._producer, self._journal.batch_id)
        first = self._journal.next_cut
        with self._plan.reader() as reader:
            cuts = cut_lines(reader, self._plan.shard_size)
            feeder = Feeder(self._producer, errand, cuts, lambda: reader.position, first)
            finished = partial(self._store.jobs.shards, self._tenant, errand.batch_id)
            belt = Conveyor(feeder, finished, self._write, next_cut=first, window=self._window)
            while not self._stop.is_set():
                belt.fill(self._stop)
                self._tell_of_backlog(feeder.waited)
                moved = self._collect(belt)
                self._show(belt, reader.size)
                if belt.empty:
                    return self._finish(belt, feeder.broken)
                if not moved:
                    self._wait()
            self._collect(belt)
        self._checkpoint(belt)
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

    def _collect(self, belt: Conveyor) -> bool:
        """Write what is done, in order, up to the first shard that is not; True if any was."""
        moved = belt.collect()
        if moved:
            self._looked = time.monotonic()
            if self._looked >= self._checkpointed + self._checkpoint_seconds:
                self._checkpoint(belt)
        return moved

    def _write(self, lines: Iterator[Dealt]) -> None:
        tally = self._journal.tally
        results, problems = [], []
        for slot, _, outcomes in lines:
            outcome = slot.problem or outcomes[0]
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

    def _checkpoint(self, belt: Conveyor) -> None:
        self._workspace.checkpoint(belt.next_cut, self._seconds)
        self._checkpointed = time.monotonic()

    def _finish(self, belt: Conveyor, broken: bool) -> Summary:
        self._checkpoint(belt)
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

    def _show(self, belt: Conveyor, size: int) -> None:
        tally = self._journal.tally
        self._display.show(
            Standing(
                done=0 if belt.last is None else belt.last.position,
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
