"""Group commit: callers that come while the store is busy share the next transaction.

Whoever finds the store free leads: it commits what waits, its own among it, then
hands the lead to the first who came meanwhile. There is no timer: a single caller
waits for nobody, and the groups grow with the number of callers.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Generic, TypeVar

from lepton_tasks.errors import StoreUnavailable

T = TypeVar("T")
R = TypeVar("R")

MOST_WAITING: Final = 8_192
"""Callers that may wait; one more is refused rather than kept in memory."""


class GroupCommit(Generic[T, R]):
    """Lets concurrent callers, threads and coroutines, share the calls of ``commit``."""

    def __init__(
        self,
        commit: Callable[[list[Sequence[T]], bool], Sequence[R | Exception]],
        finish: Callable[[list[Sequence[T]], Sequence[R | Exception], bool], None],
        weigh: Callable[[Sequence[T]], int],
        most: int,
    ) -> None:
        """Set the two steps of a group, and its size.

        ``commit`` takes each caller's items and returns each caller's outcome, in
        order; one call runs at a time. An exception among the outcomes is raised in
        that caller alone, one that either step raises in every caller of the group.
        ``finish`` gets items and outcomes while the next group commits. Both are told
        whether the group is alone: one caller, and nobody else is about, so nothing is
        gained by keeping it while others could come. ``weigh`` says what a caller's items
        weigh, and no group weighs more than ``most`` unless one caller alone does.
        """
        self._commit = commit
        self._finish = finish
        self._weigh = weigh
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[_Caller[T, R]] = deque()
        self._led = False
        self._unfinished = 0

    def call(self, items: Sequence[T]) -> R:
        """Commit ``items`` together with other callers'; returns when their group is finished.

        Raises:
            StoreUnavailable: too many callers wait already.
        """
        gate = threading.Lock()
        gate.acquire()
        caller = _Caller[T, R](items, gate.release)
        try:
            if not self._join(caller):
                gate.acquire()
            if caller.leads:
                self._lead(caller)
        except BaseException:
            self._leave(caller)
            raise
        return caller.answer()

    async def call_async(self, items: Sequence[T]) -> R:
        """Like :meth:`call` on an event loop: a thread is taken for leading, none for waiting.

        A caller that is cancelled before its group has begun takes its items back.
        """
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        caller = _Caller[T, R](items, lambda: _soon(loop, woken))
        try:
            if not self._join(caller):
                await woken.wait()
            if caller.leads:
                await asyncio.to_thread(self._lead, caller)
        except BaseException:
            self._leave(caller)
            raise
        return caller.answer()

    def _join(self, caller: _Caller[T, R]) -> bool:
        """Queue a caller; True if it leads, because nobody does."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise StoreUnavailable(
                    f"{MOST_WAITING:,} submits wait for the database already; try again later"
                )
            self._waiting.append(caller)
            caller.leads, self._led = not self._led, True
            return caller.leads

    def _leave(self, caller: _Caller[T, R]) -> None:
        """Forget a caller that was interrupted, and pass on the lead if it had it."""
        with self._lock:
            if caller in self._waiting:
                self._waiting.remove(caller)
            leads, caller.leads = caller.leads, False
        if leads:
            self._hand_on()

    def _lead(self, leader: _Caller[T, R]) -> None:
        group, alone = self._take(leader)
        if not group:
            return
        items = [caller.items for caller in group]
        interrupted = StoreUnavailable("interrupted; it is not known whether the job was stored")
        outcomes: Sequence[R | Exception] = [interrupted] * len(group)
        try:
            try:
                outcomes = self._commit(items, alone)
            except Exception as error:  # noqa: BLE001 - it is raised in each caller
                outcomes = [error] * len(group)
            finally:
                self._hand_on()
            try:
                self._finish(items, outcomes, alone)
            except Exception as error:  # noqa: BLE001 - as above
                outcomes = [error] * len(group)
        finally:
            with self._lock:
                self._unfinished -= 1
            for caller, outcome in zip(group, outcomes, strict=True):
                caller.outcome = outcome
                if caller is not leader:
                    caller.wake()

    def _take(self, leader: _Caller[T, R]) -> tuple[list[_Caller[T, R]], bool]:
        """Begin a group with those who wait; none where the leader has left. And: is it alone."""
        group: list[_Caller[T, R]] = []
        with self._lock:
            if not leader.leads:
                return group, False
            leader.leads = False
            weight = 0
            while self._waiting:
                weight += self._weigh(self._waiting[0].items)
                if group and weight > self._most:
                    break
                group.append(self._waiting.popleft())
            if not group:
                return group, False
            alone = len(group) == 1 and not self._waiting and not self._unfinished
            self._unfinished += 1
        return group, alone

    def _hand_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._led = False
                return
            heir = self._waiting[0]
            heir.leads = True
        heir.wake()


class _Caller(Generic[T, R]):
    """One who waits: woken either to lead or to find its outcome."""

    __slots__ = ("items", "leads", "outcome", "wake")

    def __init__(self, items: Sequence[T], wake: Callable[[], None]) -> None:
        self.items = items
        self.wake = wake
        self.leads = False
        self.outcome: R | Exception

    def answer(self) -> R:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def _soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
        loop.call_soon_threadsafe(event.set)
