"""Tunings kept as JSON files under ``<home>/tuning``, one for each key."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import platform
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import torch
from pydantic import TypeAdapter, ValidationError

from workers.tuning.choice import Point

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TuningKey:
    """What a tuning depends on; ``threads`` is the only count allowed, 0 for any."""

    model: str
    revision: str
    device: str
    dtype: str
    torch: str
    cpus: int
    threads: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """A sweep's points and the one that was chosen."""

    choice: Point
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class _Record:
    key: TuningKey
    choice: Point
    points: list[Point]


_RECORD = TypeAdapter(_Record)


class TuningCache:
    """The tunings of one home. A file that cannot be read is a tuning that is not there."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "tuning"

    def path(self, key: TuningKey) -> Path:
        """File of ``key``."""
        digest = hashlib.sha256(orjson.dumps(asdict(key))).hexdigest()[:12]
        model = re.sub(r"[^A-Za-z0-9-]+", "-", key.model)
        return self._folder / f"{model}-{digest}.json"

    def read(self, key: TuningKey) -> Tuning | None:
        """Return what was written for ``key``, or None."""
        path = self.path(key)
        try:
            record = _RECORD.validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError):
            logger.warning("%s is no readable tuning; measuring again", path)
            return None
        return Tuning(record.choice, record.points) if record.key == key else None

    def write(self, key: TuningKey, tuning: Tuning) -> None:
        """Keep ``tuning``, whole or not at all; a home that takes no files is only a warning."""
        record = _Record(key, tuning.choice, list(tuning.points))
        path = self.path(key)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(orjson.dumps(record, option=orjson.OPT_INDENT_2))
            os.replace(file.name, path)  # noqa: PTH105 - takes a plain name
        except OSError as error:
            logger.warning("the tuning cannot be kept in %s: %s", path, error.strerror)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other process of this home measures: two at once spoil both."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("wb")
        except OSError:
            yield
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def device_label(device: torch.device) -> str:
    """Name of the hardware that computes, such as ``x86_64 AVX512``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
