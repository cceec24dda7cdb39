"""All warm models of one process, within a bound of memory: defaults always, others on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import choose, load_catalogue
from workers.engines.base import Engine, Lane
from workers.heap import give_back
from workers.loading import Loading, LoadingThread, Refusals, Wish
from workers.refusal import Refused, unknown_model
from workers.resident import ResidentModels
from workers.tunings import Tunings
from workers.warmer import Warmer, refusal


class ModelPool:
    """Engines by task and model.

    The default model of every task is loaded, warm and tuned before the first job and
    stays. Any other model of the catalogue is loaded when a job first names it, one
    after the other on a thread of their own, while all others go on. Where
    ``settings.model_memory_mb`` would be passed, the models used longest ago leave: they
    take no new jobs, and their memory is free when their last job has ended.

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
        self._catalogue = load_catalogue(settings)
        self._defaults = {name: choose(self._catalogue, name, None) for name in tasks}
        self._tunings = Tunings(settings)
        self._refusals = Refusals()
        self._loading: dict[str, Loading] = {}
        self._lock = threading.RLock()
        self._thread = LoadingThread(self._grant)
        self._resident = ResidentModels(
            settings.model_memory_mb, self._lock, lambda: self._thread.closed
        )
        self._warmer = Warmer(tasks, settings, self._resident)

    def load_defaults(self) -> None:
        """Load, warm and tune the default models, and set this process's torch threads.

        Raises:
            LeptonError: a model cannot be loaded, or all together pass the memory bound; the
                message names it and the reason.
            Exception: a task's example fails; the worker must not start.
        """
        self._tunings.set_threads()
        served: dict[Lane, list[tuple[AnyTask, Engine]]] = {}
        for name, task in self.tasks.items():
            entry = self._defaults[name]
            engine = self._warmer.warm(entry)
            self._resident.add(entry.name, engine, pinned=True)
            served.setdefault(engine.lane, []).append((task, engine))
        self._tunings.tune(served)
        give_back()  # measuring has used more than any micro-batch will

    def engine(self, task: str, model: str | None = None) -> Engine | Loading | Refused:
        """Return the engine for a job, at once: warm, on its way, or why there is none.

        ``task`` is one of those served; ``model`` a name of the catalogue, the task's
        default where it is None.
        """
        entry = self._defaults[task] if model is None else self._catalogue.get(model)
        if entry is None or entry.task != task:
            known = [one.name for one in self._catalogue.values() if one.task == task]
            return unknown_model(task, str(model), known)
        with self._lock:
            if (engine := self._resident.get(entry.name)) is not None:
                return engine
            if (refused := self._refusals.get(entry.name)) is not None:
                return refused
            if entry.name not in self._loading:
                self._loading[entry.name] = Loading()
                self._thread.add(Wish(entry, self._loading[entry.name]))
            return self._loading[entry.name]

    def default(self, task: str) -> Engine:
        """Return the engine of the task's default model, once it is loaded."""
        return self._resident[self._defaults[task].name]

    def is_demo(self, model: str) -> bool:
        """Whether the catalogue says of a model that it only demonstrates its task."""
        return model in self._catalogue and self._catalogue[model].demo

    def budget(self, lane: Lane) -> int:
        """Padded tokens that a micro-batch of ``lane`` may hold."""
        return self._tunings.budget(lane)

    def memory(self) -> dict[str, Any]:
        """Bytes by model for an operator; ``own`` are those that would leave with it."""
        with self._lock:
            return {**self._resident.describe(), "loading": list(self._loading)}

    def close(self) -> None:
        """Load nothing more. Who still waits is told nothing; a load in progress is left."""
        self._thread.close()

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
        """Load, warm and hold a model."""
        entry = wish.entry
        try:
            engine = self._warmer.warm(entry)
        except Exception as error:  # noqa: BLE001 - its producers are told
            return refusal(entry, error)
        self._resident.add(entry.name, engine)
        self._tunings.take(engine.lane)
        return engine
