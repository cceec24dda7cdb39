"""Other versions of models in a running worker: loaded beside, warmed, then swapped in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from workers.catalogue.entries import CatalogueEntry
from workers.catalogue.live import Change, LiveCatalogue
from workers.engines.base import Engine
from workers.loading import Refusals
from workers.resident import ResidentModels
from workers.tunings import Tunings
from workers.warmer import Warmer, reason_of

logger = logging.getLogger(__name__)


class VersionSwaps:
    """Brings the models in memory to the versions that are served.

    A model and those that explain it change together or not at all. What cannot be loaded or
    warmed, or does not fit in memory beside what serves, leaves what serves as it is, until
    something is served anew.
    """

    def __init__(
        self,
        live: LiveCatalogue,
        resident: ResidentModels,
        warmer: Warmer,
        tunings: Tunings,
        refusals: Refusals,
        lock: threading.RLock,
    ) -> None:
        """``lock`` is that of whoever asks for engines: it sees a swap whole or not at all."""
        self._live = live
        self._resident = resident
        self._warmer = warmer
        self._tunings = tunings
        self._refusals = refusals
        self._lock = lock
        self._failed: dict[str, dict[str, str | None]] = {}
        self._heeded = dict(live.stamps())

    def apply(self, name: str) -> None:
        """Have serve under ``name`` what is to serve; tells the log where that cannot be.

        Raises:
            DeviceFault: the device is broken.
        """
        began, stamp = time.monotonic(), self._live.stamps().get(name, "")
        wanted: Change = {}
        try:
            wanted = self._live.wanted(name)
            self._swap(wanted)
            self._failed.pop(name, None)
        except Exception as error:  # noqa: BLE001 - what serves goes on, and the operator is told
            entry = wanted.get(name)
            self.failed(name, entry.version if entry else None, reason_of(error)[0])
            return
        finally:
            self._heeded[name] = stamp
        entry = wanted[name]
        serves = "nothing" if entry is None else entry.version or "the catalogue's own"
        took = time.monotonic() - began
        logger.info("the model %s: %s serves, after %.2f s", name, serves, took)

    def failed(self, name: str, version: str | None, reason: str) -> None:
        """Note that a version could not serve."""
        self._failed[name] = {"version": version, "reason": reason}
        logger.error("the model %s: version %s cannot serve: %s", name, version, reason)

    def describe(self) -> dict[str, Any]:
        """By model what serves of it and what was refused, where anything was ever served anew.

        ``stamp`` marks the change to ``served.json`` that this is the outcome of.
        """
        entries, found = self._live.entries, {}
        for name, stamp in list(self._heeded.items()):
            version = entries[name].version if name in entries else ""
            refused = self._failed.get(name)
            found[name] = {"version": version or None, "refused": refused, "stamp": stamp}
        return found

    def _swap(self, wanted: Change) -> None:
        change = {
            name: entry for name, entry in wanted.items() if entry != self._live.entries.get(name)
        }
        with self._resident.staying(change):
            engines = self._warm(
                {name: entry for name, entry in change.items() if entry and name in self._resident}
            )
        with self._lock:
            for name, entry in change.items():
                self._refusals.forget(name)
                if name in engines:
                    self._tunings.take(engines[name].lane, like=self._resident[name].lane)
                    self._resident.replace(name, engines[name])
                elif entry is None:
                    self._resident.retire(name)
            self._live.take(change)

    def _warm(self, entries: Mapping[str, CatalogueEntry]) -> dict[str, Engine]:
        """Load and warm, each beside those before it; all of them or none is held."""
        engines: dict[str, Engine] = {}
        try:
            for name, entry in entries.items():
                engines[name] = self._warmer.warm(entry)
                self._resident.count(name, engines[name])
        except BaseException:
            for name in engines:
                self._resident.discount(name)
            raise
        return engines
