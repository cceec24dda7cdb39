"""Which version of a model is served, and which were before: ``served.json``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from lepton_tasks.errors import VersionError
from lepton_tasks.version_files import read_object

HISTORY: Final = 32
"""Most versions that one can go back, one after the other."""
VERSION_NAME: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")
"""A version's name: when it was published, in UTC, and the beginning of its hash."""


@dataclass(frozen=True, slots=True)
class Served:
    """``version`` is served, None for the catalogue's own model; ``history`` has the last last.

    >>> first, second = Served().then("a"), Served().then("a").then("b")
    >>> second
    Served(version='b', history=(None, 'a'))
    >>> second.back() == first, first.back().back() is None
    (True, True)
    """

    version: str | None = None
    history: tuple[str | None, ...] = ()

    def then(self, version: str) -> Served:
        """What holds once ``version`` is served; nothing changes where it is already."""
        if version == self.version:
            return self
        return Served(version, (*self.history, self.version)[-HISTORY:])

    def back(self) -> Served | None:
        """What held before; None where that is not known."""
        return Served(self.history[-1], self.history[:-1]) if self.history else None

    def to_json(self) -> bytes:
        """The content of ``served.json``."""
        value = {"version": self.version, "history": list(self.history)}
        return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"


def read_served(file: Path, model: str) -> Served:
    """Read ``served.json`` of a model; where there is no such file nothing was ever served.

    Raises:
        VersionError: it is not what :meth:`Served.to_json` makes.
    """
    try:
        read = read_object(file) if file.exists() else {}
        version, history = read.get("version"), read.get("history", [])
        if isinstance(history, list) and all(map(_may_be_served, [version, *history])):
            return Served(version, tuple(history))
        reason = f"{file} holds what is no version's name"
    except VersionError as error:
        reason = str(error)
    raise VersionError(f"{reason}; `lepton models swap {model} VERSION` writes it anew")


def _may_be_served(version: object) -> bool:
    return version is None or (isinstance(version, str) and bool(VERSION_NAME.fullmatch(version)))
