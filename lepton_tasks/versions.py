"""Versions of models as folders: published whole or not at all, one of them served.

``<folder>/<model>/<version>/`` holds what a model folder holds (``config.json``,
``model.safetensors``, ``CARD.md``, …), ``entry.json`` (its fields in a catalogue) and
``report.json`` (how it came to be). ``<folder>/<model>/served.json`` says which version is
served, and which were before. Anything beside them begins with a dot: folders being filled,
and a lock.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import orjson

from lepton_tasks.errors import UnknownVersion, VersionError
from lepton_tasks.served import VERSION_NAME, Served, read_served
from lepton_tasks.version_files import (
    flush,
    flush_folder,
    folders,
    hash_of,
    last_written,
    missing_files,
    read_object,
    replace_file,
)

ENTRY: Final = "entry.json"
REPORT: Final = "report.json"
SERVED: Final = "served.json"
STALE_SECONDS: Final = 2 * 86_400.0
"""Age from which a folder that nobody writes to and nobody published is removed."""

_STAGED: Final = ".staged-"
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Stamp: TypeAlias = tuple[int, int, int]
"""What changes whenever ``served.json`` is replaced: time, size and inode."""


@dataclass(frozen=True, slots=True)
class Version:
    """One published version; ``created`` is as in :mod:`lepton_tasks.times`."""

    model: str
    name: str
    folder: Path
    created: str

    def entry(self) -> dict[str, Any]:
        """The fields that the version has in a catalogue.

        Raises:
            VersionError: the file is gone or is no JSON object.
        """
        return read_object(self.folder / ENTRY)

    def report(self) -> dict[str, Any]:
        """What its training said of it; raises as :meth:`entry` does."""
        return read_object(self.folder / REPORT)


class Versions:
    """The versions in one folder, which several hosts may share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stage(self, model: str) -> Path:
        """Make an empty folder to fill and :meth:`publish`; old ones left behind are removed.

        Raises:
            VersionError: ``model`` is not fit to name a folder.
        """
        home = self._home(model)
        home.mkdir(parents=True, exist_ok=True)
        self.sweep(model)
        staged = home / f"{_STAGED}{uuid4().hex}"
        staged.mkdir()
        return staged

    def publish(
        self, staged: Path, model: str, entry: Mapping[str, Any], report: Mapping[str, Any]
    ) -> str:
        """Make a staged folder a version, and return its name: the time and a hash of all of it.

        After a crash the version is there, whole and on disk, or it is not there.

        Raises:
            VersionError: the folder is not a whole model, or ``entry`` lacks task or engine;
                it is left as it is.
        """
        home = self._home(model)
        if staged.parent != home or not staged.name.startswith(_STAGED) or not staged.is_dir():
            raise VersionError(f"{staged} is no folder that stage({model!r}) made")
        if lacking := [field for field in ("task", "engine") if not entry.get(field)]:
            raise VersionError(f"the entry of a version of {model} needs {' and '.join(lacking)}")
        for name, value in ((ENTRY, entry), (REPORT, report)):
            (staged / name).write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
        if wrong := missing_files(staged):
            raise VersionError(f"{staged} is no whole model: {'; '.join(wrong)}")
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{hash_of(staged)[:12]}"
        flush(staged)
        try:
            staged.rename(home / name)
        except OSError:
            if not (home / name).is_dir():
                raise
            shutil.rmtree(staged)  # another published the very same in the same second
        flush_folder(home)
        return name

    def discard(self, staged: Path) -> None:
        """Remove a staged folder that will not be published."""
        if staged.name.startswith(_STAGED):
            shutil.rmtree(staged, ignore_errors=True)

    def models(self) -> list[str]:
        """Names of the models that have versions."""
        names = (path.name for path in folders(self.folder) if _MODEL.fullmatch(path.name))
        return sorted(name for name in names if self.versions(name))

    def versions(self, model: str) -> list[Version]:
        """All versions of a model, the newest last; none where there is no such model."""
        named = (path for path in folders(self._home(model)) if VERSION_NAME.fullmatch(path.name))
        return [
            Version(model, path.name, path, _time_of(path.name))
            for path in sorted(named)
            if (path / ENTRY).is_file()
        ]

    def version(self, model: str, name: str) -> Version:
        """One version by its name.

        Raises:
            UnknownVersion: there is none.
        """
        found = self.versions(model)
        for version in found:
            if version.name == name:
                return version
        known = ", ".join(version.name for version in reversed(found)) or "none"
        raise UnknownVersion(f"{model} has no version {name!r}; its versions are: {known}")

    def served(self, model: str) -> str | None:
        """Name of the version that is served; None where the catalogue's own model is."""
        return self.state(model).version

    def state(self, model: str) -> Served:
        """What is served and was before.

        Raises:
            VersionError: ``served.json`` is not what :meth:`serve` writes.
        """
        return read_served(self._home(model) / SERVED, model)

    def serve(self, model: str, version: str) -> None:
        """Serve that version from now on, and remember which it replaces.

        Raises:
            UnknownVersion: there is none of that name.
        """
        self.version(model, version)
        with self._changing(model):
            try:
                before = self.state(model)
            except VersionError:
                before = Served()
            self._write(model, before.then(version))

    def rollback(self, model: str) -> str | None:
        """Serve again what was served before, one step back each time; returns its name.

        None is the catalogue's own model, before the first version.

        Raises:
            VersionError: nothing is known to have been served before.
            UnknownVersion: what was is no longer there.
        """
        with self._changing(model):
            before = self.state(model).back()
            if before is None:
                raise VersionError(f"nothing was served before the present version of {model}")
            if before.version is not None:
                self.version(model, before.version)
            self._write(model, before)
            return before.version

    def stamps(self) -> dict[str, Stamp]:
        """By model what changes whenever :meth:`serve` or :meth:`rollback` does: cheap to ask."""
        found: dict[str, Stamp] = {}
        for home in folders(self.folder):
            try:
                stat = (home / SERVED).stat()
            except OSError:
                continue  # nothing was ever served
            found[home.name] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def sweep(self, model: str, older_than: float = STALE_SECONDS) -> None:
        """Remove staged folders in which nothing was written for ``older_than`` seconds."""
        for staged in folders(self._home(model)):
            if staged.name.startswith(_STAGED) and time.time() - last_written(staged) > older_than:
                shutil.rmtree(staged, ignore_errors=True)

    def _home(self, model: str) -> Path:
        if not _MODEL.fullmatch(model):
            raise VersionError(
                f"{model!r} cannot have versions: a name is up to 128 of A-Z, a-z, 0-9, `.`, `_` "
                "and `-`, and begins with a letter or a digit"
            )
        return self.folder / model

    def _write(self, model: str, served: Served) -> None:
        replace_file(self._home(model) / SERVED, served.to_json())

    @contextmanager
    def _changing(self, model: str) -> Iterator[None]:
        home = self._home(model)
        if not home.is_dir():
            raise UnknownVersion(f"{model} has no versions in {self.folder}")
        with (home / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _time_of(version: str) -> str:
    """The time in a version's name.

    >>> _time_of("20260131T080910Z-0123456789ab")
    '2026-01-31T08:09:10Z'
    """
    day, clock = version[:8], version[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"
