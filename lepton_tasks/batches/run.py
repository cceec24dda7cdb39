"""One batch of an uploaded file, from its claim to its end.

The machinery is that of :mod:`lepton_tasks.bulk`, and so is what makes each line come out
exactly once, whoever is killed when: shards are known by the batch and their ordinals, and the
journal names the line up to which both files are on disk. Who takes over cuts the files back
to what the journal says and goes on at that line. What was in flight then is cut again as it
was; if this release would cut it otherwise, it is called back and submitted under new ordinals.

Two processes never write a file at once: whoever opens it holds its lock, and what the store
is told is checked against the fence of the lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson

from lepton_tasks.batches.journal import BatchJournal
from lepton_tasks.batches.reading import RequestReader
from lepton_tasks.batches.request_lines import LineFault
from lepton_tasks.batches.validation import validate
from lepton_tasks.batches.watch import Watch
from lepton_tasks.batches.writing import (
    CANCELLED,
    EXPIRED,
    add_usage,
    answer_line,
    answer_of,
    bare_id,
)
from lepton_tasks.bulk.conveyor import Conveyor, Dealt
from lepton_tasks.bulk.errors import RunStopped, ShardMismatch
from lepton_tasks.bulk.feeder import Feeder
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.outputs import Outputs, OutputsBusy
from lepton_tasks.bulk.physical import InputFile, Unreadable
from lepton_tasks.bulk.shards import DEFAULT_SHARD_SIZE, Shard, cut_lines
from lepton_tasks.errors import InvalidInput, StorageUnavailable
from lepton_tasks.files.storage import FileStorage
from lepton_tasks.ids import new_id
from lepton_tasks.jobs import NewJob, Payload
from lepton_tasks.openai.endpoints import ENDPOINTS
from lepton_tasks.openai.failures import WireFailure
from lepton_tasks.producer import Producer
from lepton_tasks.requests import Admission
from lepton_tasks.states import BatchState
from lepton_tasks.store.batch_runs import BatchClaim, Made, MadeFile

logger = logging.getLogger(__name__)

OUTPUT: Final = "output.jsonl"
"""Name of the file of answers in the folder of a batch, while it runs."""
ERRORS: Final = "errors.jsonl"
"""Name of that of the lines without."""
_WINDOW: Final = 8_192
"""Lines of one batch in flight: enough for the fastest worker while some are written."""
MOST_CHARACTERS: Final = 4_000_000
"""Bound of the lines of one batch that are in flight."""
_PUT_SHARDS: Final = 64
_PAGE_ITEMS: Final = 256
"""Few, since vectors are large and several batches run side by side."""
_POLL_SECONDS: Final = 0.5
_SETTLE_SECONDS: Final = 0.02
_CHECKPOINT_SECONDS: Final = 1.0
_IDS: Final = "ids.db"


class FileBusy(RunStopped):
    """Another process still has the files of a batch open."""

    code = "file_busy"


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs share: where to put shards and files, and the tasks that there are."""

    producer: Producer
    storage: FileStorage
    admission: Admission
    window: int = _WINDOW
    shard_size: int = DEFAULT_SHARD_SIZE
    checkpoint_seconds: float = _CHECKPOINT_SECONDS

    @property
    def rules(self) -> str:
        """What else than its lines decides how a file is cut."""
        return f"{version('lepton-tasks')} {self.shard_size}"


@dataclass(frozen=True, slots=True)
class BatchErrand:
    """The shards of an uploaded file: each asks what its lines do, until the deadline."""

    bench: Bench
    claim: BatchClaim
    watch: Watch

    @property
    def tenant(self) -> str:
        """Who owns the batch."""
        return self.claim.tenant

    @property
    def batch_id(self) -> str:
        """The batch."""
        return self.claim.id

    def job(self, shard: Shard, ordinal: int) -> NewJob:
        """Make the job of a shard."""
        task = self.bench.admission.tasks[shard.work.task]
        options = orjson.loads(shard.work.options)
        return NewJob(
            tenant=self.claim.tenant,
            task=task.name,
            payload=Payload(shard.items, single=False, options=options),
            cost=task.job_cost(shard.items, options),
            priority=self.claim.priority,
            # One for all: the earliest goes first, so any difference would decide their order.
            deadline=self.claim.expires_at,
            batch_id=self.claim.id,
            ordinal=ordinal,
        )

    def given_up(self) -> Problem | None:
        """No new shard is submitted for a batch that is cancelled or overdue."""
        if self.watch.cancelling:
            return CANCELLED
        return EXPIRED if self.watch.overdue else None


class UploadedRun:
    """Runs one claimed batch. Where it fails, or is stopped, it can be run again."""

    def __init__(self, bench: Bench, claim: BatchClaim, watch: Watch) -> None:
        self._bench = bench
        self._claim = claim
        self._watch = watch
        self._runs = bench.producer.store.batch_runs
        self._checkpointed = float("-inf")
        self._called_back = False
        self._validated = claim.validated
        self._distrusted = False

    def run(self) -> BatchState:
        """Run to the end; returns how it ended.

        Raises:
            LeaseLost: another has the batch; nothing more may be written.
            Interrupted: it was asked to stop.
            RunStopped, StorageUnavailable: the disk is full or failed.
            StoreUnavailable, BrokerUnavailable: the system is away.
        """
        folder = self._bench.storage.make_batch_folder(self._claim.id)
        ended = None if self._validated else self._validate(folder)
        if ended is None:
            ended = self._answer(folder)
        self._bench.storage.delete_batch(self._claim.id)
        return ended

    def _validate(self, folder: Path) -> BatchState | None:
        """Look at the whole file; returns how the batch ended where it goes no further."""
        runs, claim = self._runs, self._claim
        try:
            self._look()
            with self._input(self._look) as file:
                most = self._bench.producer.settings.batch_lines
                verdict = validate(file, claim.endpoint, folder / _IDS, self._look, most)
        except _NoInput:
            return self._refuse_file()
        except _Cancelled:
            return runs.refuse(claim, [])
        if verdict.faults:
            return runs.refuse(claim, [fault.dump() for fault in verdict.faults])
        self._watch.saw(runs.validated(claim, verdict.lines, verdict.model))
        if self._watch.cancelling:
            return runs.refuse(claim, [])
        self._validated = True
        return None

    def _look(self) -> None:
        self._watch.check()
        if self._watch.cancelling:
            raise _Cancelled

    def _refuse_file(self) -> BatchState:
        self._runs.cancel_shards(self._claim)
        fault = LineFault("file_unreadable", None, "the content of the file could not be read")
        return self._runs.refuse(self._claim, [fault.dump()])

    def _input(self, look: Callable[[], object]) -> InputFile:
        """Open the input: it was there, so where it is not, its folder is away for now.

        ``look`` is called while it is read, and raises to end that.
        """
        try:
            path = self._bench.storage.path(self._claim.input_file_id or "")
            return InputFile(path, lambda _: look())
        except (InvalidInput, ValueError) as error:
            if self._watch.overdue or self._watch.cancelling:
                raise _NoInput from error
            raise StorageUnavailable(
                "its input cannot be read; is LEPTON_FILES_FOLDER the folder of the API, and there?"
            ) from error

    def _answer(self, folder: Path) -> BatchState:
        try:
            outputs = Outputs(folder / OUTPUT, folder / ERRORS)
        except OutputsBusy as error:
            raise FileBusy(str(error)) from error
        except InvalidInput as error:
            raise RunStopped(str(error)) from error
        with outputs:
            journal = self._journal(folder, outputs)
            try:
                self._run_lines(folder, outputs, journal)
            except (_NoInput, Unreadable):
                return self._refuse_file()
            except ShardMismatch:
                self._distrusted = True
                raise
            self._watch.check()
            self._runs.finalizing(self._claim)
            made = Made(
                journal.counts,
                self._keep(folder / OUTPUT, journal.output_bytes),
                self._keep(folder / ERRORS, journal.error_bytes),
                journal.usage or None,
            )
            ended = BatchState.EXPIRED if journal.expired else BatchState.COMPLETED
            return self._runs.finish(self._claim, ended, made)

    def _keep(self, path: Path, size: int) -> MadeFile | None:
        if not size:
            return None
        made = MadeFile(new_id("file"), size)
        self._bench.storage.keep(path, made.id)
        return made

    def _journal(self, folder: Path, outputs: Outputs) -> BatchJournal:
        """Open the journal, under the lock of the files: as its last holder left it."""
        store, claim = self._bench.producer.store, self._claim
        journal = BatchJournal.load(folder)
        try:
            if journal is not None:
                outputs.rewind(journal.output_bytes, journal.error_bytes)
        except InvalidInput:
            logger.warning("batch %s has lost what it had written and begins again", claim.id)
            journal = None
        if journal is None:
            outputs.rewind(0, 0)
            journal = BatchJournal()
        rules = self._bench.rules
        submitted = store.batches.next_ordinal(claim.tenant, claim.id)
        if submitted > journal.next_ordinal and (journal.rules != rules or self._distrusted):
            self._runs.cancel_shards(claim)
            journal.next_ordinal = submitted
        self._distrusted = False
        journal.rules = rules
        journal.save(folder)
        return journal

    def _run_lines(self, folder: Path, outputs: Outputs, journal: BatchJournal) -> None:
        bench, claim = self._bench, self._claim
        reader = RequestReader(ENDPOINTS[claim.endpoint], bench.admission)
        with self._input(self._watch.check) as file:
            lines = reader.read(file.lines(), journal.line)
            cuts = cut_lines(lines, bench.shard_size, journal.next_cut, journal.next_ordinal)
            errand = BatchErrand(bench, claim, self._watch)
            belt = Conveyor(
                Feeder(bench.producer, errand, cuts, lambda: 0, put_shards=_PUT_SHARDS),
                partial(bench.producer.store.jobs.shards, claim.tenant, claim.id),
                partial(self._write, outputs, journal),
                next_cut=journal.next_cut,
                next_ordinal=journal.next_ordinal,
                window=bench.window,
                characters=MOST_CHARACTERS,
                page_items=_PAGE_ITEMS,
            )
            while not belt.empty:
                self._watch.check()
                self._call_back()
                belt.fill(self._watch.stop)
                if not belt.collect():
                    self._wait()
                if time.monotonic() >= self._checkpointed + bench.checkpoint_seconds:
                    self._checkpoint(folder, outputs, journal, belt)
            self._checkpoint(folder, outputs, journal, belt)

    def _write(self, outputs: Outputs, journal: BatchJournal, lines: Iterator[Dealt]) -> None:
        results, problems = [], []
        for slot, job, outcomes in lines:
            bare = bare_id(self._claim.id, slot.number)
            answer = answer_of(bare, slot, job, outcomes)
            line = answer_line(bare, slot.id, answer)
            if isinstance(answer, WireFailure | Problem):
                problems.append(line)
                journal.failed += 1
                journal.expired += answer is EXPIRED
            else:
                results.append(line)
                journal.completed += 1
                add_usage(journal.usage, answer)
        outputs.write(b"".join(results), b"".join(problems))

    def _call_back(self) -> None:
        """Cancel the shards of a cancelled batch, those too that were on their way meanwhile."""
        if self._watch.cancelling and not self._called_back:
            self._runs.cancel_shards(self._claim)
            self._called_back = True

    def _wait(self) -> None:
        """Sleep until some job has ended; a little longer, so that more have."""
        self._bench.producer.wait_for_any(_POLL_SECONDS)
        self._watch.stop.wait(_SETTLE_SECONDS)

    def _checkpoint(
        self, folder: Path, outputs: Outputs, journal: BatchJournal, belt: Conveyor
    ) -> None:
        """Make what is written durable, then known: first to whoever takes over, then to all."""
        self._checkpointed = time.monotonic()
        if belt.last is None or belt.last.slots[-1].number == journal.line:
            return
        journal.output_bytes, journal.error_bytes = outputs.sync()
        journal.next_cut, journal.next_ordinal = belt.next_cut, belt.next_ordinal
        journal.line = belt.last.slots[-1].number
        journal.save(folder)
        self._watch.saw(
            self._runs.progress(
                self._claim, journal.counts, journal.output_bytes, journal.error_bytes
            )
        )


class _Cancelled(Exception):
    """The tenant has cancelled the batch while its file was read."""


class _NoInput(Exception):
    """The input cannot be read, and is not waited for any more."""
