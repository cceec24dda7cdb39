"""A desk a model: opened by its first prompt, closed when idle, never while it writes."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.held import held, items_of
from workers.generation import desks as module
from workers.generation.desks import IDLE_SECONDS, Desks
from workers.held import HeldJob


class NotedDesk:
    """Takes what a desk takes, and notes it; what it holds is set by the test."""

    def __init__(self, engine: object) -> None:
        self.engine = engine
        self.calls: list[str] = []
        self.items: list[Any] = []
        self.unfinished: list[HeldJob] = []

    def start(self) -> None:
        self.calls.append("start")

    def add(self, items: Any) -> None:
        self.calls.append("add")
        self.items += items

    def heed_cancels(self) -> None:
        self.calls.append("heed")

    def stop(self) -> list[HeldJob]:
        self.calls.append("stop")
        return self.unfinished

    def __len__(self) -> int:
        return len(self.items)


class Bench:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.opened: list[NotedDesk] = []
        self.desks = Desks(self._open)
        self.engines: list[Any] = [object(), object()]

    def _open(self, engine: Any) -> Any:
        self.opened.append(NotedDesk(engine))
        return self.opened[-1]

    def add(self, place: int, *texts: str) -> None:
        self.desks.add(self.engines[place], items_of(held(*texts)))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: bench.now))
    return bench


def test_a_desk_is_opened_by_its_first_prompt(bench: Bench) -> None:
    assert len(bench.desks) == 0 and bench.opened == []
    bench.add(0, "你好", "hi")
    bench.add(0, "again")
    bench.add(1, "other")
    assert [desk.engine for desk in bench.opened] == bench.engines
    assert bench.opened[0].calls == ["start", "add", "add"]
    assert len(bench.desks) == 4


def test_an_idle_desk_is_closed_and_opened_again_when_needed(bench: Bench) -> None:
    bench.add(0, "hi")
    bench.opened[0].items.clear()
    bench.now += IDLE_SECONDS
    bench.desks.look()
    assert "stop" not in bench.opened[0].calls
    bench.now += 0.1
    bench.desks.look()
    assert bench.opened[0].calls[-1] == "stop"
    bench.now += 100.0
    bench.desks.look()
    assert bench.opened[0].calls.count("stop") == 1
    bench.add(0, "back")
    assert len(bench.opened) == 2
    assert bench.opened[1].calls == ["start", "add"]


def test_a_desk_that_writes_is_not_idle_however_long_it_takes(bench: Bench) -> None:
    bench.add(0, "a long story")
    for _ in range(9):
        bench.now += 0.9 * IDLE_SECONDS
        bench.desks.look()
    bench.opened[0].items.clear()
    bench.now += 0.9 * IDLE_SECONDS
    bench.desks.look()
    assert "stop" not in bench.opened[0].calls
    bench.now += 0.2 * IDLE_SECONDS
    bench.desks.look()
    assert bench.opened[0].calls[-1] == "stop"


def test_a_new_prompt_keeps_a_desk_open(bench: Bench) -> None:
    for _ in range(5):
        bench.add(0, "hi")
        bench.opened[0].items.clear()
        bench.now += 0.9 * IDLE_SECONDS
        bench.desks.look()
    assert len(bench.opened) == 1


def test_cancels_are_heeded_at_every_desk(bench: Bench) -> None:
    bench.add(0, "one")
    bench.add(1, "two")
    bench.desks.look()
    assert [desk.calls.count("heed") for desk in bench.opened] == [1, 1]


def test_stopping_gives_back_what_did_not_end_at_any_desk(bench: Bench) -> None:
    assert bench.desks.stop() == []
    bench.add(0, "one")
    bench.add(1, "two")
    jobs = [held("a"), held("b"), held("c")]
    bench.opened[0].unfinished = jobs[:2]
    bench.opened[1].unfinished = jobs[2:]
    assert bench.desks.stop() == jobs
    assert [desk.calls[-1] for desk in bench.opened] == ["stop", "stop"]


def test_prompts_from_several_threads_open_one_desk(bench: Bench) -> None:
    gate = threading.Barrier(8)

    def add() -> None:
        gate.wait()
        bench.add(0, "hi")

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [desk] = bench.opened
    assert len(desk) == 8 and desk.calls.count("start") == 1
