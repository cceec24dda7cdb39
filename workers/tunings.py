"""The budgets of a process's lanes: measured at its start, kept from before, or copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakKeyDictionary

import torch

from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.settings import Settings
from workers.engines.base import Engine, Lane
from workers.tuning.tuner import Tuner

UNTUNED_BUDGET: Final = 2048
"""Padded tokens of a micro-batch where nothing is tuned or set."""


class Tunings:
    """What each lane's micro-batches may hold, and this process's torch threads."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is measured yet."""
        self._settings = settings
        self._tuner = Tuner(settings)
        self._budgets: WeakKeyDictionary[Lane, int] = WeakKeyDictionary()
        self._fallback = settings.token_budget or UNTUNED_BUDGET

    def budget(self, lane: Lane) -> int:
        """Padded tokens that a micro-batch of ``lane`` may hold."""
        return self._budgets.get(lane, self._fallback)

    def set_threads(self) -> None:
        """Give torch the threads that are set, if any are."""
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)

    def tune(self, served: Mapping[Lane, Sequence[tuple[AnyTask, Engine]]]) -> None:
        """Tune lanes, as far as nothing is set, and set the threads that the slowest wants.

        ``served`` are the tasks whose engines run in a lane; those that have no budget are
        left out here.
        """
        settings = self._settings
        if not settings.tune or (settings.token_budget and settings.threads):
            return
        tuned = {
            lane: self._tuner.tuning(lane, own).choice
            for lane, own in served.items()
            if lane.tunable
        }
        if tuned:
            # One process has one thread count: the lane that needs the time decides.
            slowest = min(tuned.values(), key=lambda point: point.tokens_per_second)
            torch.set_num_threads(slowest.threads)
        if not settings.token_budget:
            self._budgets.update({lane: point.budget for lane, point in tuned.items()})
            self._fallback = min([UNTUNED_BUDGET, *self._budgets.values()])

    def take(self, lane: Lane, like: Lane | None = None) -> None:
        """Give a lane that came later what was kept for it, or else what ``like`` has."""
        if lane in self._budgets:
            return
        settings = self._settings
        kept = self._tuner.kept(lane) if settings.tune and not settings.token_budget else None
        if kept is not None:
            self._budgets[lane] = kept.choice.budget
        else:
            self._budgets[lane] = self._fallback if like is None else self.budget(like)
