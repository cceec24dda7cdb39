"""The catalogue of a running process: what serves in it, and what is to serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias

from lepton_tasks.errors import UnknownVersion, VersionError
from lepton_tasks.settings import Settings
from lepton_tasks.versions import Versions
from workers.catalogue.entries import CatalogueEntry, offered, own_models
from workers.catalogue.served import entry_of, explainers, following, served_entry, stamps_of
from workers.errors import CatalogueError

Change: TypeAlias = Mapping[str, CatalogueEntry | None]
"""New entries by name; None for a model that is no more."""


class LiveCatalogue:
    """Entries by name. The catalogue's files are read once, what is served again and again."""

    def __init__(self, settings: Settings) -> None:
        """Read all.

        Raises:
            CatalogueError: a catalogue is wrong, or the folder of versions cannot be read.
        """
        self._settings = settings
        self._versions = Versions(settings.model_versions)
        self._stamps = stamps_of(self._versions)  # before all else: no later change is missed
        self._own = own_models(settings)
        self.broken: dict[str, str] = {}
        """Why what is served of a model could not be read; what was before it serves."""
        entries = dict(self._own)
        for name in self._stamps:
            if (entry := self._readable(name)) is not None:
                entries[name] = entry
        self.entries: Mapping[str, CatalogueEntry] = offered(following(entries), settings)

    def touched(self) -> list[str]:
        """Models of which something was served anew since this was last asked. Cheap.

        Raises:
            OSError: the folder of versions cannot be read.
        """
        stamps = self._versions.stamps()
        names = {name for name, _ in stamps.items() ^ self._stamps.items()}
        self._stamps = stamps
        return sorted(names)

    def stamps(self) -> Mapping[str, str]:
        """What marks the last change that was seen, by model."""
        return {name: str(stamp[0]) for name, stamp in self._stamps.items()}

    def wanted(self, name: str) -> Change:
        """What is to serve under ``name``, and under the names of those that explain it.

        Raises:
            CatalogueError: the version that is served is gone or wrong.
        """
        return self._change(name, served_entry(name, self._own.get(name), self._versions))

    def before(self, name: str) -> Iterator[Change]:
        """Yield what served before, the last first, without what is gone or wrong by now."""
        for entry in self._before(name):
            yield self._change(name, entry)

    def take(self, change: Change) -> None:
        """Let those entries serve from now on; all at once for who reads ``entries``."""
        kept = {name: entry for name, entry in self.entries.items() if name not in change}
        new = {name: entry for name, entry in change.items() if entry is not None}
        self.entries = {**kept, **new}

    def _readable(self, name: str) -> CatalogueEntry | None:
        try:
            return served_entry(name, self._own.get(name), self._versions)
        except CatalogueError as error:
            self.broken[name] = str(error)
            return next(self._before(name), self._own.get(name))

    def _before(self, name: str) -> Iterator[CatalogueEntry]:
        own = self._own.get(name)
        with suppress(VersionError):
            for version in reversed(self._versions.state(name).history):
                entry = own
                if version is not None:
                    try:
                        entry = entry_of(self._versions.version(name, version), own)
                    except (CatalogueError, UnknownVersion):
                        continue
                if entry is not None:
                    yield entry

    def _change(self, name: str, entry: CatalogueEntry | None) -> Change:
        explaining = [one for one, explained in explainers(self.entries) if explained == name]
        entries = {one: own for one, own in self.entries.items() if one != name}
        if entry is not None:
            entries[name] = entry
        for one in explaining:
            own = served_entry(one, self._own.get(one), self._versions)
            if own is not None:
                entries[one] = own
        after = offered(following(entries), self._settings)
        return {one: after.get(one) for one in (name, *explaining)}
