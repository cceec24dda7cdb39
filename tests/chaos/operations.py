"""The operation log: what a client asked of the system, what it was told, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson


class Kind(StrEnum):
    """A submit is invoked, then it is answered, refused, or nobody knows what became of it."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of the log; ``job_id`` is there once the submit was answered. Unix seconds."""

    kind: Kind
    key: str
    at: float
    job_id: str | None = None


class OperationLog:
    """Appends operations to a file as they happen; any thread may."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()
        self.path = path
        self.acknowledged = 0
        self.unknown = 0

    def note(self, kind: Kind, keys: Sequence[str], job_ids: Sequence[str] | None = None) -> None:
        """Log the same for each of ``keys``; ``job_ids`` go with them one by one."""
        at = time.time()
        ids: Sequence[str | None] = job_ids if job_ids is not None else [None] * len(keys)
        lines = [
            orjson.dumps(asdict(Operation(kind, key, at, job_id)), option=orjson.OPT_APPEND_NEWLINE)
            for key, job_id in zip(keys, ids, strict=True)
        ]
        with self._lock:
            self._file.write(b"".join(lines))
            self.acknowledged += len(keys) if kind is Kind.OK else 0
            self.unknown += len(keys) if kind is Kind.UNKNOWN else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read_operations(path: Path) -> Iterator[Operation]:
    """Read a log back, oldest first; a last line that a crash cut short is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                entry: dict[str, Any] = orjson.loads(line)
                yield Operation(Kind(entry["kind"]), entry["key"], entry["at"], entry["job_id"])
