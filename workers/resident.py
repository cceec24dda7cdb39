"""The engines in memory, within a bound: who is asked for stays, who makes room leaves."""

from __future__ import annotations

import gc
import logging
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import ref

import torch

from workers.engines.base import Engine
from workers.errors import ModelError
from workers.heap import collect_all
from workers.residency import Footprint, NoRoom, Residency

logger = logging.getLogger(__name__)

HEADROOM_BYTES: Final = 64 << 20
"""What the memory bound keeps free for the tensors of a micro-batch."""
LOOK_SECONDS: Final = 0.5
_WAITS_TO_COLLECT: Final = 4
_MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Leaving:
    """An engine that takes no new jobs, until the last of those that have it ends."""

    engine: ref[Engine]
    weights: Sequence[ref[torch.Tensor]]
    revision: str
    on_gpu: bool


class ResidentModels:
    """Engines by name, and the bytes that they occupy.

    Whoever makes room does so from one thread; the rest is for any.
    """

    def __init__(self, bound_mb: int, lock: threading.RLock, closed: Callable[[], bool]) -> None:
        """``bound_mb`` is 0 for any; ``closed`` tells that the worker stops."""
        self._bound_mb = bound_mb
        bound = bound_mb * _MEGABYTE
        self._memory = Residency(bound, HEADROOM_BYTES if bound else 0)
        self._engines: dict[str, Engine] = {}
        self._lock = lock
        self._closed = closed
        self._gone: queue.SimpleQueue[ref[Engine]] = queue.SimpleQueue()
        self._leaving: dict[str, _Leaving] = {}
        self._retired = 0
        self._staying: Collection[str] = ()

    def get(self, name: str) -> Engine | None:
        """An engine, as the one used last."""
        with self._lock:
            engine = self._engines.get(name)
            if engine is not None:
                self._memory.touch(name)
            return engine

    def __contains__(self, name: str) -> bool:
        """Whether there is an engine of that name."""
        with self._lock:
            return name in self._engines

    def __getitem__(self, name: str) -> Engine:
        """An engine that is known to be there; another version may just take its place."""
        with self._lock:
            return self._engines[name]

    def add(self, name: str, engine: Engine, *, pinned: bool = False) -> None:
        """Hold an engine; a pinned one never leaves."""
        with self._lock:
            self._memory.add(name, footprint(engine), pinned=pinned)
            self._engines[name] = engine

    @contextmanager
    def staying(self, names: Collection[str]) -> Iterator[None]:
        """Let none of those models make room for others inside the block."""
        self._staying = names
        try:
            yield
        finally:
            self._staying = ()

    def count(self, name: str, engine: Engine) -> None:
        """Count an engine that is to :meth:`replace` that of ``name``, beside it."""
        with self._lock:
            self._memory.add(_next(name), footprint(engine), pinned=True)

    def discount(self, name: str) -> None:
        """Count an engine no more that will not replace that of ``name`` after all."""
        with self._lock:
            self._memory.remove(_next(name))

    def replace(self, name: str, engine: Engine) -> None:
        """Hold an engine that was counted in the place of another, which leaves when it may."""
        with self._lock:
            pinned = self._memory.pinned(name)
            self.retire(name)
            self._memory.remove(_next(name))
            self.add(name, engine, pinned=pinned)

    def retire(self, name: str) -> None:
        """Let an engine go, if it is there, without waiting for it."""
        with self._lock:
            if name in self._engines:
                self._retired += 1
                self._retire(name, f"{name}@{self._engines[name].revision}#{self._retired}")

    def make_room(self, name: str, wanted: int) -> None:
        """Let models go until ``wanted`` bytes fit for the model ``name``.

        Raises:
            ModelError: not even letting all go that may go would do, or the worker stops.
        """
        while not self._closed() and (leaving := self._leaving_for(name, wanted)):
            self._let_go(leaving)
        if self._closed():
            raise ModelError("the worker is stopping")

    def make_room_for(self, name: str, engine: Engine) -> None:
        """The same for an engine that is loaded, less what it shares with others."""
        with self._lock:
            added = self._memory.added(footprint(engine))
        self.make_room(name, added)

    def sweep(self) -> None:
        """Count out what has left meanwhile."""
        with self._lock:
            self._sweep()

    def describe(self) -> dict[str, Any]:
        """Bytes by model for an operator; ``own`` are those that would leave with it."""
        with self._lock:
            return {
                "bound": self._memory.bound,
                "headroom": self._memory.headroom,
                "used": self._memory.used(),
                "models": {
                    name: {
                        "revision": self._revision(name),
                        "bytes": self._memory.size(name),
                        "own": self._memory.own(name),
                        "default": self._memory.pinned(name),
                        "leaving": name not in self._engines,
                    }
                    for name in self._memory.names()
                },
            }

    def _revision(self, name: str) -> str:
        if name in self._leaving:
            return self._leaving[name].revision
        return self._engines[name].revision if name in self._engines else ""

    def _leaving_for(self, name: str, wanted: int) -> list[str]:
        with self._lock:
            self._sweep()
            try:
                return self._memory.leaving_for(wanted, self._staying)
            except NoRoom as error:
                raise ModelError(
                    f"the model {name} needs {_megabytes(error.wanted)} MB beside "
                    f"{_megabytes(error.staying)} MB of models that stay and "
                    f"{_megabytes(self._memory.headroom)} MB of headroom, but "
                    f"LEPTON_MODEL_MEMORY_MB allows {self._bound_mb}"
                ) from error

    def _let_go(self, names: Sequence[str]) -> None:
        """Give models up and wait until their memory is free, or the worker stops."""
        for name in names:
            with self._lock:
                if name not in self._leaving:
                    self._retire(name, name)
                held = self._leaving[name].engine
            waits = 0
            while held() is not None and not self._closed():
                try:
                    self._gone.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    waits += 1
                    if waits % _WAITS_TO_COLLECT == 0:
                        gc.collect()  # an error's traceback may hold it in a cycle
            with self._lock:
                self._sweep()

    def _retire(self, name: str, key: str) -> None:
        engine = self._engines.pop(name)
        if key != name:
            self._memory.retire(name, key)
        on_gpu = engine.lane.key.device.startswith("cuda")
        weights = [ref(tensor) for tensor in engine.tensors()]
        held = ref(engine, self._gone.put)
        self._leaving[key] = _Leaving(held, weights, engine.revision, on_gpu)

    def _sweep(self) -> None:
        """Count out what has left; its weights are free then, cycles or not."""
        for key, one in list(self._leaving.items()):
            if one.engine() is None:
                own = self._memory.alone(key)
                left = (tensor() for tensor in one.weights)
                if any(t is not None and t.untyped_storage().data_ptr() in own for t in left):
                    collect_all()
                del self._leaving[key]
                self._memory.remove(key)
                if one.on_gpu:
                    torch.cuda.empty_cache()
                logger.info("the model %s has left the memory", key)


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


def _next(name: str) -> str:
    """Key of the engine that is to come under a name: no model is called so."""
    return f"{name}@next"


def _megabytes(size: int) -> int:
    """Rounded up, so that what is said to fit does."""
    return -(-size // _MEGABYTE)
