"""The lock file: which revision of a hub's model was fetched, and the hash of each of its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workers.errors import CatalogueError


class Pin(BaseModel):
    """A model of the hub: its commit, and the SHA-256 of each file by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    files: dict[str, str]


class _Lock(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: dict[str, Pin] = Field(default_factory=dict)


def read_lock(file: Path) -> dict[str, Pin]:
    """Return the pins by catalogue name, none where there is no file.

    Raises:
        CatalogueError: the file cannot be read, or is no lock file.
    """
    try:
        return _Lock.model_validate_json(file.read_bytes()).models
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CatalogueError(f"the lock file {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise CatalogueError(
            f"the lock file {file} is wrong at {place!r}: {first['msg']}"
        ) from error


def write_lock(file: Path, pins: Mapping[str, Pin]) -> None:
    """Replace the lock file; a reader sees the old one or the new one, whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    text = _Lock(models=dict(sorted(pins.items()))).model_dump_json(indent=2)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(file)
