"""All warm models of one process, within a bound of memory: defaults always, others on demand."""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

import torch

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.catalogue.entries import CatalogueEntry, choose, load_catalogue
from workers.device_faults import DeviceFault, is_device_fault, is_out_of_memory
from workers.engines.base import Engine, Lane
from workers.engines.loader import expected_bytes, load_engine
from workers.engines.trunks import Trunks
from workers.engines.warm import warm_up
from workers.errors import ModelError, TemporaryFailure
from workers.heap import give_back
from workers.loading import Loading, LoadingThread, Refusals, Wish
from workers.refusal import Refused, model_unavailable, unknown_model
from workers.residency import Footprint, NoRoom, Residency
from workers.text_free import describe
from workers.tuning.tuner import Tuner

logger = logging.getLogger(__name__)

UNTUNED_BUDGET: Final = 2048
"""Padded tokens of a micro-batch where nothing is tuned or set."""
HEADROOM_BYTES: Final = 64 << 20
"""What the memory bound keeps free for the tensors of a micro-batch."""
_LOOK_SECONDS = 0.5
_WAITS_TO_COLLECT = 4
_MEGABYTE = 1 << 20


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
        self._settings = settings
        self._announce_loading = loading
        self._catalogue = load_catalogue(settings)
        self._defaults = {name: choose(self._catalogue, name, None) for name in tasks}
        self._trunks = Trunks()
        self._tuner = Tuner(settings)
        bound = settings.model_memory_mb * _MEGABYTE
        self._memory = Residency(bound, HEADROOM_BYTES if bound else 0)
        self._engines: dict[str, Engine] = {}
        self._refusals = Refusals()
        self._loading: dict[str, Loading] = {}
        self._budgets: WeakKeyDictionary[Lane, int] = WeakKeyDictionary()
        self._fallback_budget = settings.token_budget or UNTUNED_BUDGET
        self._lock = threading.Lock()
        self._gone: queue.SimpleQueue[ref[Engine]] = queue.SimpleQueue()
        self._thread = LoadingThread(self._grant)

    def load_defaults(self) -> None:
        """Load, warm and tune the default models, and set this process's torch threads.

        Raises:
            LeptonError: a model cannot be loaded, or all together pass the memory bound; the
                message names it and the reason.
            Exception: a task's example fails; the worker must not start.
        """
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        for name, task in self.tasks.items():
            entry = self._defaults[name]
            try:
                self._memory.leaving_for(self._expected(entry))
                engine = self._load(task, entry)
                self._memory.leaving_for(self._added(engine))
            except NoRoom as error:
                raise ModelError(self._too_large(entry.name, error)) from error
            self._memory.add(entry.name, footprint(engine), pinned=True)
            self._engines[entry.name] = engine
        self._tune()
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
            if entry.name in self._engines:
                self._memory.touch(entry.name)
                return self._engines[entry.name]
            if (refused := self._refusals.get(entry.name)) is not None:
                return refused
            if entry.name not in self._loading:
                self._loading[entry.name] = Loading()
                self._thread.add(Wish(self.tasks[task], entry, self._loading[entry.name]))
            return self._loading[entry.name]

    def default(self, task: str) -> Engine:
        """Return the engine of the task's default model, once it is loaded."""
        return self._engines[self._defaults[task].name]

    def is_demo(self, model: str) -> bool:
        """Whether the catalogue says of a model that it only demonstrates its task."""
        return model in self._catalogue and self._catalogue[model].demo

    def budget(self, lane: Lane) -> int:
        """Padded tokens that a micro-batch of ``lane`` may hold."""
        return self._budgets.get(lane, self._fallback_budget)

    def memory(self) -> dict[str, Any]:
        """Bytes by model for an operator; ``own`` are those that would leave with it."""
        with self._lock:
            return {
                "bound": self._memory.bound,
                "headroom": self._memory.headroom,
                "used": self._memory.used(),
                "models": {
                    name: {
                        "bytes": self._memory.size(name),
                        "own": self._memory.own(name),
                        "default": self._memory.pinned(name),
                        "leaving": name not in self._engines,
                    }
                    for name in self._memory.names()
                },
                "loading": list(self._loading),
            }

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
        """Make room, load and warm."""
        entry = wish.entry
        try:
            while leaving := self._leaving_for(self._expected(entry)):
                self._let_go(leaving)
            if self._thread.closed:
                return _refuse(entry, "the worker is stopping")
            engine = self._load(wish.task, entry)
            self._let_go(self._leaving_for(self._added(engine)))
        except NoRoom as error:
            return _refuse(entry, self._too_large(entry.name, error))
        except TemporaryFailure as error:
            return _refuse(entry, str(error), retryable=True)
        except ModelError as error:
            return _refuse(entry, str(error))
        except Exception as error:
            if is_device_fault(error):
                raise DeviceFault(describe(error)) from error
            if is_out_of_memory(error):
                return _refuse(entry, "the device has no memory left for it", retryable=True)
            reason = f"loading or warming it raised {describe(error)}"
            return _refuse(entry, reason, retryable=isinstance(error, OSError))
        with self._lock:
            self._memory.add(entry.name, footprint(engine))
            self._engines[entry.name] = engine
        self._budgets.setdefault(engine.lane, self._kept_budget(engine.lane))
        return engine

    def _leaving_for(self, wanted: int) -> list[str]:
        with self._lock:
            return self._memory.leaving_for(wanted)

    def _let_go(self, names: Sequence[str]) -> None:
        """Give models up and wait until their memory is free, or the pool is closed."""
        for name in names:
            with self._lock:
                engine = self._engines.pop(name)
            on_gpu = engine.lane.key.device.startswith("cuda")
            held = ref(engine, self._gone.put)
            del engine
            waits = 0
            while held() is not None and not self._thread.closed:
                try:
                    self._gone.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    waits += 1
                    if waits % _WAITS_TO_COLLECT == 0:
                        gc.collect()  # an error's traceback may hold it in a cycle
            if on_gpu:
                torch.cuda.empty_cache()
            with self._lock:
                self._memory.remove(name)
            logger.info("the model %s left to make room", name)

    def _load(self, task: AnyTask, entry: CatalogueEntry) -> Engine:
        began = time.monotonic()
        only = {entry.name: entry}
        engine = load_engine(task.name, only, self._settings.device, entry.name, self._trunks)
        warm_up(task, engine)
        took = time.monotonic() - began
        logger.info("%s is warm: %s at %s, %.1f s", task.name, engine.name, engine.revision, took)
        return engine

    def _tune(self) -> None:
        served: dict[Lane, list[tuple[AnyTask, Engine]]] = {}
        for name, task in self.tasks.items():
            engine = self.default(name)
            if not engine.lane.tunable:
                continue
            served.setdefault(engine.lane, []).append((task, engine))
        settings = self._settings
        if not settings.tune or (settings.token_budget and settings.threads):
            return
        tuned = {lane: self._tuner.tuning(lane, own).choice for lane, own in served.items()}
        if tuned:
            # One process has one thread count: the lane that needs the time decides.
            slowest = min(tuned.values(), key=lambda point: point.tokens_per_second)
            torch.set_num_threads(slowest.threads)
        if not settings.token_budget:
            self._budgets.update({lane: point.budget for lane, point in tuned.items()})
            self._fallback_budget = min([UNTUNED_BUDGET, *self._budgets.values()])

    def _kept_budget(self, lane: Lane) -> int:
        settings = self._settings
        kept = self._tuner.kept(lane) if settings.tune and not settings.token_budget else None
        return self._fallback_budget if kept is None else kept.choice.budget

    def _expected(self, entry: CatalogueEntry) -> int:
        return expected_bytes(entry, self._settings.device, self._trunks)

    def _added(self, engine: Engine) -> int:
        """Bytes that ``engine`` adds to those of the models counted already."""
        with self._lock:
            return self._memory.added(footprint(engine))

    def _too_large(self, name: str, error: NoRoom) -> str:
        return (
            f"the model {name} needs {_megabytes(error.wanted)} MB beside "
            f"{_megabytes(error.staying)} MB of models that stay and "
            f"{_megabytes(self._memory.headroom)} MB of headroom, but LEPTON_MODEL_MEMORY_MB "
            f"allows {self._settings.model_memory_mb}"
        )


def _refuse(entry: CatalogueEntry, reason: str, retryable: bool = False) -> Refused:
    logger.warning("the model %s is not available: %s", entry.name, reason)
    return model_unavailable(entry.name, reason, [entry.folder, entry.encoder_folder], retryable)


def footprint(engine: Engine) -> Footprint:
    """Bytes of the engine's weights by the storage they are in.

    >>> class Engine:
    ...     def tensors(self):
    ...         return [whole := torch.zeros(8), whole[2:]]
    >>> list(footprint(Engine()).values())
    [32]
    """
    storages = (tensor.untyped_storage() for tensor in engine.tensors())
    return {storage.data_ptr(): storage.nbytes() for storage in storages}


def _megabytes(size: int) -> int:
    """Rounded up, so that what is said to fit does."""
    return -(-size // _MEGABYTE)
