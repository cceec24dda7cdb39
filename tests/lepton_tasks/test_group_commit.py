"""Callers share a commit, and each gets exactly its own outcome, whatever happens to the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lepton_tasks import group_commit
from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.group_commit import GroupCommit


class Bench:
    """A group commit of integers whose answer is their sum; tests hold commits up and look in."""

    def __init__(self) -> None:
        self.commits = GroupCommit[int, int](self._commit, self._finish, len, 3)
        self.groups: list[list[Sequence[int]]] = []
        self.finished: list[list[Sequence[int]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.alone: list[bool] = []
        self.on_finish: Callable[[], object] = lambda: None
        self._running = threading.Lock()

    def _commit(self, groups: list[Sequence[int]], alone: bool) -> list[int | Exception]:
        assert self._running.acquire(blocking=False), "two commits at once"
        try:
            self.groups.append(groups)
            self.alone.append(alone)
            assert self.gate.wait(30)
            if [-1] in groups:
                raise StoreUnavailable("away")
            if [-2] in groups:
                raise KeyboardInterrupt
            return [ValueError("zero") if items == [0] else sum(items) for items in groups]
        finally:
            self._running.release()

    def _finish(
        self, groups: list[Sequence[int]], outcomes: Sequence[int | Exception], alone: bool
    ) -> None:
        assert len(groups) == len(outcomes)
        assert alone == self.alone[self.groups.index(groups)]
        self.on_finish()
        self.finished.append(groups)

    def waiting(self, count: int) -> None:
        """Return once ``count`` callers wait behind the commit that runs."""
        until(lambda: len(self.commits._waiting) == count)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(64)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def held_group(bench: Bench, pool: ThreadPoolExecutor, *later: list[int]) -> list[Future[int]]:
    """One caller commits and is held up while the others come; returns all of them."""
    bench.gate.clear()
    callers = [pool.submit(bench.commits.call, [1])]
    until(lambda: len(bench.groups) == 1)
    for count, items in enumerate(later, 1):
        callers.append(pool.submit(bench.commits.call, items))
        bench.waiting(count)
    return callers


def test_a_single_caller_waits_for_nobody(bench: Bench) -> None:
    assert [bench.commits.call([n, n]) for n in (1, 2, 3)] == [2, 4, 6]
    assert bench.groups == bench.finished == [[[1, 1]], [[2, 2]], [[3, 3]]]


def test_who_comes_meanwhile_forms_the_next_group(bench: Bench, pool: ThreadPoolExecutor) -> None:
    callers = held_group(bench, pool, [2], [3, 4])
    bench.gate.set()
    assert [caller.result(30) for caller in callers] == [1, 2, 7]
    assert bench.groups == bench.finished == [[[1]], [[2], [3, 4]]]


def test_one_callers_failure_is_its_own(bench: Bench, pool: ThreadPoolExecutor) -> None:
    callers = held_group(bench, pool, [2], [0], [3])
    bench.gate.set()
    assert [caller.result(30) for caller in (callers[1], callers[3])] == [2, 3]
    with pytest.raises(ValueError, match="zero"):
        callers[2].result(30)


def test_an_outage_fails_the_whole_group_and_no_other(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    callers = held_group(bench, pool, [2], [-1])
    bench.gate.set()
    assert callers[0].result(30) == 1
    for caller in callers[1:]:
        with pytest.raises(StoreUnavailable, match="away"):
            caller.result(30)
    assert bench.commits.call([4]) == 4


def test_an_interrupted_leader_leaves_nobody_waiting(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    callers = held_group(bench, pool, [-2], [2])
    bench.gate.set()
    with pytest.raises(KeyboardInterrupt):
        callers[1].result(30)
    with pytest.raises(StoreUnavailable, match="interrupted"):
        callers[2].result(30)
    assert bench.commits.call([4]) == 4


def test_the_next_group_commits_while_one_finishes(bench: Bench, pool: ThreadPoolExecutor) -> None:
    callers = held_group(bench, pool, [2])
    committed_both = threading.Event()
    bench.on_finish = lambda: committed_both.wait(30)
    bench.gate.set()
    until(lambda: len(bench.groups) == 2)
    assert not any(caller.done() for caller in callers)
    committed_both.set()
    assert [caller.result(30) for caller in callers] == [1, 2]


def test_only_who_shares_with_nobody_is_alone(bench: Bench, pool: ThreadPoolExecutor) -> None:
    callers = held_group(bench, pool, [2], [3])
    first_may_end = threading.Event()
    bench.on_finish = lambda: first_may_end.wait(30)
    bench.gate.set()
    until(lambda: len(bench.groups) == 2)
    callers.append(pool.submit(bench.commits.call, [4]))  # by itself, but two groups are about
    until(lambda: len(bench.groups) == 3)
    first_may_end.set()
    assert [caller.result(30) for caller in callers] == [1, 2, 3, 4]
    until(lambda: bench.commits._unfinished == 0)
    assert bench.commits.call([5]) == 5
    assert bench.groups == [[[1]], [[2], [3]], [[4]], [[5]]]
    assert bench.alone == [True, False, False, True]


def test_what_fails_at_the_end_fails_the_whole_group(
    bench: Bench, pool: ThreadPoolExecutor
) -> None:
    def fail() -> None:
        raise StoreUnavailable("disk")

    callers = held_group(bench, pool, [2], [3])
    bench.on_finish = fail
    bench.gate.set()
    for caller in callers:
        with pytest.raises(StoreUnavailable, match="disk"):
            caller.result(30)
    bench.on_finish = lambda: None
    assert bench.commits.call([4]) == 4


def test_groups_are_bounded(bench: Bench, pool: ThreadPoolExecutor) -> None:
    callers = held_group(bench, pool, [2, 2], [3], [4], [5] * 7)
    bench.gate.set()
    assert [caller.result(30) for caller in callers] == [1, 4, 3, 4, 35]
    assert bench.groups == [[[1]], [[2, 2], [3]], [[4]], [[5] * 7]]


def test_who_waits_is_bounded(
    bench: Bench, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING", 2)
    callers = held_group(bench, pool, [2], [3])
    with pytest.raises(StoreUnavailable, match="2 submits wait"):
        bench.commits.call([4])
    bench.gate.set()
    assert [caller.result(30) for caller in callers] == [1, 2, 3]


def test_threads_and_coroutines_share(bench: Bench, pool: ThreadPoolExecutor) -> None:
    async def three() -> list[int]:
        calls = [asyncio.create_task(bench.commits.call_async([n])) for n in (2, 3, 4)]
        while len(bench.commits._waiting) < 3:
            await asyncio.sleep(0.002)
        bench.gate.set()
        return await asyncio.gather(*calls)

    [thread] = held_group(bench, pool)
    assert asyncio.run(three()) == [2, 3, 4]
    assert thread.result(30) == 1
    assert bench.groups == [[[1]], [[2], [3], [4]]]


def test_a_cancelled_coroutine_passes_the_lead_on(bench: Bench, pool: ThreadPoolExecutor) -> None:
    async def cancelled_and_kept() -> int:
        loop = asyncio.get_running_loop()
        calls = [loop.create_task(bench.commits.call_async([n])) for n in (2, 3)]
        while len(bench.commits._waiting) < 2:
            await asyncio.sleep(0.002)
        bench.gate.set()
        # The loop is not let go on: the first call has been given the lead and cannot take it.
        until(lambda: len(bench.finished) == 1)
        calls[0].cancel()
        return await calls[1]

    [thread] = held_group(bench, pool)
    assert asyncio.run(cancelled_and_kept()) == 3
    assert thread.result(30) == 1
    assert bench.groups == [[[1]], [[3]]]


def test_many_callers_each_get_their_own_answer(bench: Bench, pool: ThreadPoolExecutor) -> None:
    def fifty(first: int) -> list[int]:
        return [bench.commits.call([first, n]) for n in range(50)]

    async def many() -> list[int]:
        return await asyncio.gather(*(bench.commits.call_async([1_000, n]) for n in range(100)))

    threads = [pool.submit(fifty, first) for first in range(1, 33)]
    assert asyncio.run(many()) == [1_000 + n for n in range(100)]
    for first, thread in enumerate(threads, 1):
        assert thread.result(60) == [first + n for n in range(50)]
    assert sum(len(group) for group in bench.groups) == 32 * 50 + 100
