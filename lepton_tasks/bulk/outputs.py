"""The two files a run writes: results in input order, and the lines that have none."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from lepton_tasks.bulk.errors import RunStopped
from lepton_tasks.bulk.journal import sync_folder
from lepton_tasks.bulk.lines import Problem
from lepton_tasks.bulk.shards import Slot
from lepton_tasks.errors import InvalidInput
from lepton_tasks.managed import Closing

_BUFFER: Final = 1 << 18


class OutputsBusy(InvalidInput):
    """Another run has the files open."""


class Outputs(Closing):
    """Both files, open for this run alone until :meth:`close`."""

    def __init__(self, out: Path, errors: Path) -> None:
        """Open the files, making those that do not exist; nothing is cut off yet.

        Raises:
            InvalidInput: one cannot be opened.
            OutputsBusy: another run is writing it.
        """
        self._paths = (out, errors)
        self._out = _open(out)
        try:
            self._errors = _open(errors)
        except InvalidInput:
            self._out.close()
            raise

    def rewind(self, out_bytes: int, errors_bytes: int) -> None:
        """Cut off what is behind these lengths.

        Raises:
            InvalidInput: a file is shorter; nothing was cut off.
        """
        wanted = (out_bytes, errors_bytes)
        for path, length in zip(self._paths, wanted, strict=True):
            if path.stat().st_size < length:
                raise InvalidInput(
                    f"{path} has lost lines since the run was interrupted; "
                    "start over with --overwrite",
                    "--resume",
                )
        with self._writable():
            for file, length in zip((self._out, self._errors), wanted, strict=True):
                file.truncate(length)
                file.seek(length)

    def write(self, results: bytes, problems: bytes) -> None:
        """Append lines to both files; durable after the next :meth:`sync`."""
        with self._writable():
            self._out.write(results)
            self._errors.write(problems)

    def sync(self) -> tuple[int, int]:
        """Make all that was written durable; returns the lengths of both files in bytes."""
        with self._writable():
            for file in (self._out, self._errors):
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self._paths[0])
            return self._out.tell(), self._errors.tell()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            names = " and ".join(str(path) for path in self._paths)
            raise RunStopped(f"cannot write {names}: {error.strerror}") from error

    def close(self) -> None:
        """Close the files. What was not synced may be lost, which resuming repairs."""
        for file in (self._out, self._errors):
            with contextlib.suppress(OSError):
                file.close()


def result_line(slot: Slot, output: object) -> bytes:
    r"""Line of the output file.

    >>> result_line(Slot(3, "n-2", None), {"flagged": False})
    b'{"id":"n-2","line":3,"output":{"flagged":false}}\n'
    """
    line = {"id": slot.id, "line": slot.number, "output": output}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def problem_line(slot: Slot, problem: Problem) -> bytes:
    r"""Line of the error file.

    >>> problem_line(Slot(3, None, None), Problem("empty_text", "text is empty"))
    b'{"line":3,"id":null,"error":{"code":"empty_text","message":"text is empty"}}\n'
    """
    line = {"line": slot.number, "id": slot.id, "error": problem._asdict()}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _open(path: Path) -> BinaryIO:
    try:
        file = path.open("ab", buffering=_BUFFER)
    except OSError as error:
        raise InvalidInput(f"cannot write {path}: {error.strerror}", "--output") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OutputsBusy(f"another run is writing {path}; wait for it", "--output") from error
    return file
