"""All warm models of one process, within a bound of memory: defaults always, others on demand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import choose, how_to_get
from workers.catalogue.live import Change, LiveCatalogue
from workers.catalogue.served import explainers
from workers.engines.base import Engine, Lane
from workers.heap import give_back
from workers.heartbeat import Every
from workers.loading import Loading, LoadingThread, Refusals, Wish
from workers.refusal import Refused, unknown_model
from workers.resident import ResidentModels
from workers.swap import VersionSwaps
from workers.tunings import Tunings
from workers.warmer import Warmer, reason_of, refusal

logger = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 1.0
"""How often a look is taken at what is served; it costs a call a model to the file system."""


class ModelPool:
    """Engines by task and model.

    The default model of every task is loaded, warm and tuned before the first job and
    stays. Any other model of the catalogue is loaded when a job first names it, one
    after the other on a thread of their own, while all others go on. Where
    ``settings.model_memory_mb`` would be passed, the models used longest ago leave: they
    take no new jobs, and their memory is free when their last job has ended. So does what
    another version of it has replaced.

    Ask for the engine of each job anew: one that is held keeps its model in memory.
    """

    def __init__(
        self,
        tasks: Mapping[str, AnyTask],
        settings: Settings,
        loading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Read the catalogue; nothing is loaded yet.

        ``loading`` is entered while a model is loaded beside the work.

        Raises:
            CatalogueError: a catalogue is wrong, or names no default for one of ``tasks``.
        """
        self.tasks = tasks
        self._announce_loading = loading
        self._live = LiveCatalogue(settings)
        self._defaults = {name: choose(self._live.entries, name, None).name for name in tasks}
        self._tunings = Tunings(settings)
        self._refusals = Refusals()
        self._loading: dict[str, Loading] = {}
        self._lock = threading.RLock()
        self._thread = LoadingThread[Callable[[], None]](_call)
        self._resident = ResidentModels(
            settings.model_memory_mb, self._lock, lambda: self._thread.closed
        )
        self._warmer = Warmer(tasks, settings, self._resident)
        self._swaps = VersionSwaps(
            self._live, self._resident, self._warmer, self._tunings, self._refusals, self._lock
        )
        for name, reason in self._live.broken.items():
            self._swaps.failed(name, None, reason)
        self._watch = Every(_WATCH_SECONDS, self._look, "model versions")
        self._watching = self._blind = False

    def load_defaults(self) -> None:
        """Load, warm and tune the default models, and set this process's torch threads.

        Raises:
            LeptonError: a model cannot be loaded, or all together pass the memory bound; the
                message names it and the reason.
            Exception: a task's example fails; the worker must not start.
        """
        self._tunings.set_threads()
        served: dict[Lane, list[tuple[AnyTask, Engine]]] = {}
        for name, task in sorted(self.tasks.items(), key=self._explains):
            engine = self._warm(self._defaults[name])
            self._resident.add(engine.name, engine, pinned=True)
            served.setdefault(engine.lane, []).append((task, engine))
        self._tunings.tune(served)
        give_back()  # measuring has used more than any micro-batch will

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        """Return the engine for a job, at once: warm, on its way, or why there is none.

        ``task`` is one of those served; ``model`` a name of the catalogue, the task's
        default where it is None.
        """
        entry = self._live.entries.get(self._defaults[task] if model is None else model)
        if entry is None or entry.task != task:
            return self._unknown(task, str(model))
        with self._lock:
            if (engine := self._resident.get(entry.name)) is not None:
                return engine
            if (refused := self._refusals.get(entry.name)) is not None:
                return refused
            if entry.name not in self._loading:
                self._loading[entry.name] = Loading()
                wish = Wish(entry, self._loading[entry.name])
                self._thread.add(partial(self._grant, wish))
            return self._loading[entry.name]

    def default(self, task: str) -> Engine:
        """Return the engine of the task's default model, once it is loaded."""
        return self._resident[self._defaults[task]]

    def is_demo(self, model: str) -> bool:
        """Whether the catalogue says of a model that it only demonstrates its task."""
        entry = self._live.entries.get(model)
        return entry is not None and entry.demo

    def budget(self, lane: Lane) -> int:
        """Padded tokens that a micro-batch of ``lane`` may hold."""
        return self._tunings.budget(lane)

    def memory(self) -> dict[str, Any]:
        """Bytes by model for an operator; ``own`` are those that would leave with it."""
        with self._lock:
            return {**self._resident.describe(), "loading": list(self._loading)}

    def versions(self) -> dict[str, Any]:
        """Which version of a model serves, and which could not and why, for an operator."""
        return self._swaps.describe()

    def follow(self) -> None:
        """From now on change models to the versions that are served, beside the work."""
        if not self._watching:
            self._watching = True
            self._watch.start()

    def close(self) -> None:
        """Load nothing more. Who still waits is told nothing; a load in progress is left."""
        if self._watching:
            self._watch.stop()
        self._thread.close()

    def _look(self) -> None:
        self._resident.sweep()
        try:
            touched = self._live.touched()
        except OSError as error:
            if not self._blind:
                logger.error("which versions are served cannot be seen: %s", error)
            self._blind = True
            return
        self._blind = False
        for name in touched:
            with self._lock:
                self._thread.add(partial(self._follow, name))

    def _follow(self, name: str) -> None:
        with self._announce_loading():
            self._swaps.apply(name)

    def _explains(self, task: tuple[str, AnyTask]) -> bool:
        """Explainers come last: what they explain may have to go back a version."""
        explained = {name for name, _ in explainers(self._live.entries)}
        return self._defaults[task[0]] in explained

    def _warm(self, name: str) -> Engine:
        """Load and warm what serves under a name; where a version cannot, what served before it.

        Raises:
            Exception: as :meth:`Warmer.warm` does. What may pass is not gone back for.
        """
        entry = self._live.entries[name]
        try:
            return self._warmer.warm(entry)
        except Exception as error:
            reason, may_pass = reason_of(error)
            if not entry.version or may_pass or self._thread.closed:
                raise
            self._swaps.failed(name, entry.version, reason)
            for change in self._live.before(name):
                if (engine := self._warm_again(change, name)) is not None:
                    return engine
            raise

    def _warm_again(self, change: Change, name: str) -> Engine | None:
        entry = change[name]
        if entry is None:
            return None
        try:
            engine = self._warmer.warm(entry)
        except Exception as error:  # noqa: BLE001 - there may be one before that
            logger.error("nor can %s: %s", entry.version or "its own", reason_of(error)[0])
            return None
        self._live.take(change)
        return engine

    def _unknown(self, task: str, model: str) -> Refused:
        known = [one.name for one in self._live.entries.values() if one.task == task]
        return unknown_model(task, model, known, how_to_get(task, model))

    def _grant(self, wish: Wish) -> None:
        with self._announce_loading():
            found = self._bring(wish)
        if self._thread.closed:
            return
        with self._lock:
            del self._loading[wish.entry.name]
            if isinstance(found, Refused):
                self._refusals.add(wish.entry.name, found)
        wish.loading.settle(found)

    def _bring(self, wish: Wish) -> Engine | Refused:
        """Load, warm and hold a model, at the version that serves by now."""
        entry = self._live.entries.get(wish.entry.name)
        if entry is None:
            return self._unknown(wish.entry.task, wish.entry.name)
        try:
            engine = self._warm(entry.name)
        except Exception as error:  # noqa: BLE001 - its producers are told
            return refusal(entry, error)
        self._resident.add(entry.name, engine)
        self._tunings.take(engine.lane)
        return engine


def _call(work: Callable[[], None]) -> None:
    work()
