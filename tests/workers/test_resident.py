"""Models in memory, by themselves: who reads while one takes the place of another."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import torch

from workers.engines.base import Engine
from workers.resident import ResidentModels


class FakeEngine:
    """An engine as far as the memory cares."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.lane = SimpleNamespace(key=SimpleNamespace(device="cpu"))
        self._weights = torch.zeros(8)

    def tensors(self) -> list[torch.Tensor]:
        return [self._weights]


def engine(revision: str) -> Engine:
    return cast("Engine", FakeEngine(revision))


class SlowLock:
    """A lock whose holder lets others try before it lets go."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.meanwhile: Any = None

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        if self.meanwhile is not None:
            self.meanwhile()
        self._lock.release()


def models(lock: Any) -> ResidentModels:
    return ResidentModels(0, lock, lambda: False)


def described(resident: ResidentModels) -> Mapping[str, Any]:
    found: Mapping[str, Any] = resident.describe()["models"]
    return found


def test_a_pinned_model_stays_pinned_when_it_is_replaced() -> None:
    resident = models(threading.RLock())
    resident.add("m", engine("old"), pinned=True)
    new = engine("new")
    resident.count("m", new)
    resident.replace("m", new)
    resident.sweep()
    assert described(resident)["m"]["default"]
    assert resident["m"].revision == "new"


def test_whoever_reads_during_a_replacement_finds_one_of_the_two() -> None:
    lock = SlowLock()
    resident = models(lock)
    resident.add("m", engine("old"), pinned=True)
    new = engine("new")
    resident.count("m", new)
    readers: list[threading.Thread] = []
    found: list[object] = []

    def read() -> None:
        found.append("m" in resident)
        try:
            found.append(resident["m"].revision)
        except KeyError as error:
            found.append(error)

    def others() -> None:
        """Called with the lock held, at each step of the replacement."""
        lock.meanwhile = None
        readers.append(threading.Thread(target=read))
        readers[0].start()
        readers[0].join(0.2)
        assert not found, "nobody reads before the whole is done"

    lock.meanwhile = others  # the first step that lets go takes the old one out
    resident.replace("m", new)
    readers[0].join()
    assert found == [True, "new"]
