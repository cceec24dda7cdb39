"""The long runs of a worker: one at a time, each in a child process, watched from here."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from lepton_tasks.errors import LeptonError, StoreUnavailable
from lepton_tasks.launcher.child import describe_exit
from lepton_tasks.settings import Settings
from lepton_tasks.store.progress import ProgressStore
from lepton_tasks.versions import Versions
from workers.finisher import Finisher
from workers.held import HeldJob, Item
from workers.longruns.folders import RunFolders
from workers.longruns.process import MODEL_FOLDER, PAUSED_EXIT, LongProcess
from workers.longruns.publishing import publish
from workers.outcomes import CANCELLED, Done, Failed, Outcome
from workers.reporter import Reporter
from workers.text_free import describe
from workers.vital import vital_thread

logger = logging.getLogger(__name__)

_SWEEP_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0
_KILL_SECONDS: Final = 10.0
_NOT_ALLOWED: Final = Failed(
    "not_allowed", "this tenant may not make models; LEPTON_TRAINING_TENANTS names those who may"
)


@dataclass(eq=False, slots=True)
class _Run:
    """An item and what is known of its run. ``said`` is not stored yet."""

    item: Item
    process: LongProcess | None = None
    said: dict[str, Any] | None = field(default_factory=lambda: {"stage": "waiting", "fraction": 0})
    paused: bool = False
    overdue: bool = False
    ends_at: float = float("inf")

    @property
    def job(self) -> HeldJob:
        return self.item.job


class LongRuns:
    """Takes items whose engine is a module to run. All methods are for several threads."""

    def __init__(
        self,
        settings: Settings,
        progress: ProgressStore,
        finisher: Finisher,
        reporter: Reporter,
        is_revoked: Callable[[str], bool],
    ) -> None:
        """``is_revoked`` says of a job's id whether Celery was told to revoke it."""
        self._settings = settings
        self._progress = progress
        self._finisher = finisher
        self._reporter = reporter
        self._is_revoked = is_revoked
        self._folders = RunFolders(settings.checkpoints)
        self._versions = Versions(settings.model_versions)
        self._tenants = settings.may_train
        self._runs: list[_Run] = []
        self._current: _Run | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._until = float("inf")
        self._swept_at = float("-inf")
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """Items that wait or run."""
        return len(self._runs)

    def add(self, items: Sequence[Item]) -> None:
        """Take items; the most urgent runs next, nothing that runs is displaced."""
        with self._changed:
            self._runs += [_Run(item) for item in items]
            if self._thread is None and not self._closed:
                self._thread = vital_thread(self._work, "long runs")
                self._thread.start()
            self._changed.notify()

    def look(self) -> None:
        """End what was cancelled, store what the runs say, remove what nobody needs.

        To be called about every second.

        Raises:
            StoreUnavailable: the database cannot be used; what is said is said again.
        """
        with self._changed:
            runs = list(self._runs)
        for run in runs:
            if self._is_revoked(run.job.claim.id):
                run.job.cancelled = True
            if run.said is not None and not run.job.cancelled:
                said, run.said = run.said, None
                self._say(run, said)
            run.overdue = time.monotonic() > run.ends_at
            if (run.job.cancelled or run.overdue) and run.process is not None:
                run.process.kill()
        if time.monotonic() - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            self._folders.sweep(self._progress.open, {run.job.claim.id for run in runs})

    def close(self, until: float) -> list[HeldJob]:
        """Begin nothing more; returns the jobs that had not begun, which are given back.

        The run that has begun stores a checkpoint and ends, by that time on the monotonic
        clock; :meth:`stop` gives its job back.
        """
        with self._changed:
            self._closed = True
            self._until = min(until, time.monotonic() + _KILL_SECONDS)
            waiting = [run for run in self._runs if run is not self._current]
            self._runs = [run for run in self._runs if run is self._current]
            self._changed.notify()
            if self._current is not None and self._current.process is not None:
                self._current.process.pause()
        return [run.job for run in waiting]

    def stop(self) -> list[HeldJob]:
        """Wait for the run that had begun; returns its job if it was paused."""
        if self._thread is None:
            return []
        self._thread.join(max(0.0, self._until - time.monotonic()))
        with self._changed:
            current = self._current
        if current is not None and current.process is not None:
            current.process.kill()
        self._thread.join()
        return [run.job for run in self._runs if run.paused]

    def _work(self) -> None:
        while (run := self._next()) is not None:
            outcome = self._outcome(run)
            with self._changed:
                self._current = None
                if outcome is None:
                    run.paused = True
                    continue
            self._finisher.put([(run.item, outcome)])
            with self._changed:
                self._runs.remove(run)

    def _next(self) -> _Run | None:
        with self._changed:
            while not self._closed and not self._runs:
                self._changed.wait()
            if self._closed:
                return None
            self._current = min(self._runs, key=lambda run: run.item.rank)
            return self._current

    def _outcome(self, run: _Run) -> Outcome | None:
        """Run one item; None where it was paused, for another time."""
        self._reporter.begin([run.item])
        if run.job.claim.tenant not in self._tenants and "*" not in self._tenants:
            return _NOT_ALLOWED
        try:
            return self._run(run, self._folders.make(*run.item.name))
        except OSError as error:
            logger.warning("job %s: %s", run.job.claim.id, describe(error))
            return no_room(error)
        except LeptonError as error:
            logger.warning("job %s: %s", run.job.claim.id, error)
            return Failed("not_published", "what was made could not be published")

    def _run(self, run: _Run, folder: Path) -> Outcome | None:
        item = run.item
        request = {**item.encoded.tokens.read(), "folder": str(folder), "run": _name(item)}
        process = LongProcess(item.engine.module, request, self._settings.environment())  # type: ignore[attr-defined]
        with self._changed:
            run.process = process
            run.ends_at = time.monotonic() + self._settings.run_hours * 3600
            if self._closed:
                process.pause()
        if run.job.cancelled:
            process.kill()
        result: dict[str, Any] | None = None
        for line in process.said():
            if "progress" in line:
                run.said = line["progress"]
            else:
                result = line
        code = process.exit_code()
        run.process, run.ends_at = None, float("inf")
        if run.job.cancelled:
            return CANCELLED
        if run.overdue and code != 0:
            return Failed(
                "took_too_long",
                f"it was not done after {self._settings.run_hours:g} hours, which is what "
                "LEPTON_RUN_HOURS of the worker allows: ask for less, or set it higher",
            )
        if code == PAUSED_EXIT or (code != 0 and self._closed):
            return None
        if result is not None and "failed" in result:
            return Failed(**result["failed"])
        if code != 0 or result is None:
            return _died(code)
        return self._publish(run, result, folder)

    def _publish(self, run: _Run, result: dict[str, Any], folder: Path) -> Outcome:
        """Publish while the job is this worker's and its tenant wants it."""
        raw, made = result["output"], result["made"]
        run.said = None
        while True:
            try:
                self._say(run, {"stage": "publishing", "fraction": 1})
                break
            except (StoreUnavailable, DBAPIError) as error:
                logger.warning("cannot publish what was made, trying again: %s", error)
                time.sleep(_RETRY_SECONDS)
        if run.job.cancelled:
            return CANCELLED
        version = publish(self._versions, _name(run.item), made, folder / MODEL_FOLDER)
        return Done({**raw, "version": version, "served": made["serve"]})

    def _say(self, run: _Run, said: dict[str, Any]) -> None:
        try:
            mine = self._progress.say(run.job.claim, said)
        except (StoreUnavailable, DBAPIError):
            run.said = run.said or said
            raise
        if not mine:
            run.job.cancelled = True


def no_room(error: OSError) -> Failed:
    """Why a run could not write; it may another time."""
    reason = error.strerror or type(error).__name__
    return Failed("cannot_write", f"the worker could not write its files: {reason}", retryable=True)


def _died(code: int) -> Failed:
    return Failed(
        "process_died",
        f"the process of this run {describe_exit(code)}; where that was SIGKILL, the machine had "
        "no memory left for it: send fewer rows, or give the worker more",
        retryable=True,
    )


def _name(item: Item) -> str:
    job_id, place = item.name
    return f"{job_id}-{place}"
