"""One worker process: its threads, wired together, started warm and drained cleanly."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Container, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from celery.worker import state

from lepton_tasks.broker.connection import connect
from lepton_tasks.broker.wakeups import Announcer
from lepton_tasks.celery.sending import follow_up_sender
from lepton_tasks.ids import new_id
from lepton_tasks.nlp.retrieval import CorpusTask
from lepton_tasks.reconciler import Reconciler
from lepton_tasks.retries import retry_in
from lepton_tasks.settings import Settings
from lepton_tasks.store.due import Queue
from lepton_tasks.store.store import Store
from workers.broker_watch import BrokerWatch
from workers.budget import LaneBudgets
from workers.candidates import CandidateStage
from workers.corpora.retriever import Retriever
from workers.direct import DirectIntake
from workers.due import DueIntake
from workers.engines.base import Lane
from workers.finisher import Finisher
from workers.follow_ups import FollowUps
from workers.generation.desk import Desk, naming
from workers.generation.desks import Desks
from workers.generation.streamer import Streamer
from workers.generation.writing import WritingEngine
from workers.giving_back import give_back
from workers.heap import settle_down
from workers.heartbeat import Every, Heartbeat, reconciling
from workers.held import HeldJob, HeldJobs, Item, lane_of
from workers.holder import Holder
from workers.intake import Intake, Received
from workers.longruns.engine import LongRunEngine
from workers.longruns.runs import LongRuns
from workers.preparer import Preparer
from workers.progress import Progress
from workers.rates import RateLimits
from workers.reporter import Reporter
from workers.runner import Runner, prepare
from workers.stall import StallWatch
from workers.vital import end_by_celery
from workers.window import Window
from workers.work import WorkQueue

if TYPE_CHECKING:  # both import torch, which a worker for long tasks does without
    from workers.longruns.engine import LongRunModels
    from workers.pool import ModelPool

logger = logging.getLogger(__name__)

_WRITING_PART: Final = 0.8
"""Of the grace of a drain, for texts that are being written; the rest is for storing them."""
_STALL_LOOK_SECONDS: Final = 2.0
_CANCEL_SECONDS: Final = 1.0
"""How often the store is asked which of the jobs held here were cancelled."""


class Runtime:
    """The path of a job inside a worker: intake → preparer → queue → runner → finisher."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        hostname: str,
        models: ModelPool | LongRunModels,
        progress: Progress,
        queues: Callable[[], Sequence[Queue]],
        limits: Callable[[], RateLimits | None],
    ) -> None:
        """Wire the parts; nothing runs yet.

        ``models`` has its defaults loaded; ``queues`` tells which queues are consumed now,
        ``limits`` what Celery limits, None before there is a consumer.
        """
        self.models = models
        self.worker_id = new_id("worker")
        self.broker = BrokerWatch()
        self.reporter = Reporter(self.broker.is_away)
        progress.name(self.worker_id)
        self._settings = settings
        self._store = store
        self._redis = connect(settings.redis_url, 2.0)
        self._held = HeldJobs()
        self._finisher = Finisher(
            store,
            Announcer(self._redis, self.broker.is_away).announce,
            self.reporter,
            self._held,
            lambda suspect: self._preparer.add([suspect]),
            lambda retries: retry_in(
                retries,
                settings.retries,
                settings.retry_seconds,
                random=random.random(),  # noqa: S311 - spreads load, keeps no secret
            ),
        )
        self._follow_ups = FollowUps(follow_up_sender(store, settings), store.claims.calls_owed)
        self._heartbeat = Heartbeat(
            store,
            self.worker_id,
            hostname,
            list(models.tasks),
            settings.lease_seconds,
            supersedes=settings.supervised,
            may_renew=lambda: progress.busy_seconds() <= settings.hung_seconds,
            lost=self._drop_what_is_lost,
            renewed=progress.beat,
        )
        budgets: LaneBudgets[Lane] = LaneBudgets(models.budget, settings.step_cap_seconds)
        is_revoked = state.revoked.__contains__
        self._queue = WorkQueue(
            prepare,
            lambda key: budgets.tokens(lane_of(key), time.monotonic()),
            lambda: budgets.saw_urgent(time.monotonic()),
        )
        self._streamer = Streamer(self._redis)
        self._long_runs = LongRuns(
            settings, store.progress, self._finisher, self.reporter, is_revoked
        )
        self._desks = Desks(
            lambda engine: Desk(
                engine.generator(
                    self._heartbeat.is_fresh,
                    progress.busy,
                    naming(progress.generating.share()),
                ),
                self._finisher,
                self.reporter,
                self._streamer,
                is_revoked,
            )
        )
        self._preparer = Preparer(
            self._route,
            self._queue.prepare_next,
            self._finisher,
            settings.encode_seconds,
            progress.encoding,
        )
        self._runner = Runner(
            self._queue,
            self._finisher,
            self.reporter,
            budgets,
            progress,
            self._heartbeat.is_fresh,
            is_revoked,
            self._preparer.wake,
        )
        self._candidates = CandidateStage(
            self._preparer.add,
            Retriever(store.corpus_index, settings.corpus_memory_mb << 20),
            self._finisher,
            self._held,
            any(isinstance(task, CorpusTask) for task in models.tasks.values()),
        )
        self._holder = Holder(models, self._held, self._candidates, self._finisher)
        stages = (
            self._holder,
            self._candidates,
            self._preparer,
            self._queue,
            self._desks,
            self._long_runs,
        )
        window = Window(settings.window_items, stages)
        self._intake = Intake(
            self.worker_id,
            store,
            window,
            self._holder,
            self.reporter,
            self._heartbeat.is_fresh,
        )
        self._direct = DirectIntake(
            self.worker_id,
            list(models.tasks),
            store,
            window,
            self._holder,
            self._held,
            self.reporter,
            self._heartbeat.is_fresh,
        )
        served = partial(_served, queues, models.tasks)
        self._due = DueIntake(
            self.worker_id,
            served,
            store,
            self.broker,
            limits,
            self._intake,
            self._holder,
            self.reporter,
        )
        self._stall = StallWatch(
            store.due.oldest,
            lambda: _unlimited(served(), limits()),  # what a limit holds back is meant to wait
            window.free,
            lambda: self._intake.claimed_at,
            settings.stall_seconds,
            self._end_stalled,
        )
        self._stalling = Every(_STALL_LOOK_SECONDS, self._stall.look, "stall watch")
        self._cancelling = Every(_CANCEL_SECONDS, self._heed_cancels, "cancelling")
        self._reconciler = Reconciler(store, settings, self.worker_id)
        self._reconciling = reconciling(self._reconciler)
        self._started = False
        self._drained = False

    def attach(self, consumer: Any) -> None:
        """Report to a (re)connected Celery consumer; the first one starts the work.

        Raises:
            StoreUnavailable: the database is away.
        """
        self.reporter.attach(consumer)
        self.start()

    def start(self) -> None:
        """Begin to work, once; without a consumer from the store alone.

        From then on the worker holds a lease, so a lease says that it consumes.

        Raises:
            StoreUnavailable: the database is away.
        """
        if self._started:
            return
        self._started = True
        settle_down()
        self._heartbeat.start()
        self._reconciling.start()
        self._follow_ups.start()
        self._finisher.start()
        self._runner.start()
        self._streamer.start()
        self._preparer.start()
        self._candidates.start()
        self._intake.start()
        self._direct.start()
        self._due.start()
        if self._settings.stall_seconds:
            self._stalling.start()
        self._cancelling.start()
        self.models.follow()
        logger.info("serving %s as %s", ", ".join(self.models.tasks), self.worker_id)

    def room(self) -> int:
        """Messages that may be fetched now."""
        return self._intake.room()

    def urgent_room(self) -> int:
        """Messages of the most urgent queues that may be fetched now."""
        return self._intake.urgent_room()

    def put(self, received: Received) -> None:
        """Take a fetched message."""
        self._intake.put(received)

    def drain(self) -> None:
        """Finish what is on the device, store it, give the rest back, end the lease.

        What has not begun is given back at once. Texts that are being written may take the
        greater part of the grace to end; those that do not are given back then.
        """
        if self._drained or not self._started:
            return
        self._drained = True
        until = time.monotonic() + _WRITING_PART * self._settings.drain_seconds
        self.reporter.loop_has_stopped()
        if self._settings.stall_seconds:
            self._stalling.stop()
        self._intake.close()
        self._direct.close()
        self._due.close()
        unfinished = dict.fromkeys(self._holder.close())
        unfinished |= dict.fromkeys(self._candidates.close())
        unfinished |= dict.fromkeys(self._preparer.close())
        unfinished |= dict.fromkeys(item.job for item in self._queue.close())
        unfinished |= dict.fromkeys(self._desks.close(until))
        unfinished |= dict.fromkeys(self._long_runs.close(until))
        logger.info("draining: what is on the device is finished")
        released = self._give_back(unfinished)
        self._runner.stop()
        unended = [*self._desks.stop(), *self._long_runs.stop()]
        self._cancelling.stop()
        self._streamer.close()
        self._finisher.close()
        self._follow_ups.close()
        released += self._give_back(dict.fromkeys([*unended, *self._held.suspects()]))
        self.reporter.flush()
        self._reconciling.stop()
        self._reconciler.close()
        self._heartbeat.stop()
        logger.info("drained: %d jobs were given back", released)

    def _give_back(self, jobs: Collection[HeldJob]) -> int:
        self._held.discard(jobs)
        return give_back(self._store, [job.claim for job in jobs])

    def _end_stalled(self, reason: str) -> None:
        end_by_celery(reason, self._settings.drain_seconds)

    def _heed_cancels(self) -> None:
        self._held.cancel(self._store.claims.cancelled(self.worker_id))
        self._desks.look()
        self._long_runs.look()

    def _drop_what_is_lost(self) -> None:
        """Compute nothing more that was taken back while this worker had no lease."""
        lost = self._held.cancel_all_but(self._store.claims.held_by(self.worker_id))
        self._desks.look()
        self._long_runs.look()
        logger.warning("%d jobs were taken back meanwhile and are dropped", lost)

    def _route(self, items: Sequence[Item]) -> None:
        engine = items[0].engine
        if isinstance(engine, LongRunEngine):
            self._long_runs.add(items)
        elif isinstance(engine, WritingEngine):
            self._desks.add(engine, items)
        else:
            self._queue.add(items)

    def close(self) -> None:
        """Close what :meth:`drain` may still have needed."""
        self.models.close()
        self._store.close()
        self._redis.close()


def _served(queues: Callable[[], Sequence[Queue]], tasks: Container[str]) -> list[Queue]:
    return [queue for queue in queues() if queue[0] in tasks]


def _unlimited(queues: Sequence[Queue], limits: RateLimits | None) -> list[Queue]:
    limited = {} if limits is None else limits.allowances()
    return [queue for queue in queues if queue[0] not in limited]
