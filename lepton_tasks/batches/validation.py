"""Reads an uploaded file once, to its end, before any of its lines is queued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lepton_tasks.batches.custom_ids import CustomIds
from lepton_tasks.batches.request_lines import (
    LineFault,
    duplicate,
    empty_file,
    read_line,
    too_many,
    unreadable,
)
from lepton_tasks.bulk.physical import InputFile, Unreadable

MOST_FAULTS: Final = 100
"""Faults after which the rest of a file is not looked at."""
_LOOK_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many lines a file has, and what makes it refused; nothing where it is whole.

    ``model`` is the one that all lines name, None where they name none or several.
    """

    lines: int
    faults: tuple[LineFault, ...] = ()
    model: str | None = None


def validate(
    file: InputFile, endpoint: str, ids: Path, go_on: Callable[[], object], most: int
) -> Verdict:
    """Check every line of ``file``, that of a batch that asks ``endpoint``; ``most`` it may have.

    ``ids`` is where a file may be while this goes on. ``go_on`` is called every few hundred
    lines, and raises to end it.

    Raises:
        RunStopped: the disk failed.
        StorageUnavailable: it is full, or failed.
    """
    faults: list[LineFault] = []
    models: set[str | None] = set()
    number = lines = 0
    with CustomIds(ids) as known:
        try:
            for number, raw in enumerate(file.lines(), 1):
                if number % _LOOK_LINES == 0:
                    go_on()
                line = read_line(number, raw, endpoint)
                if isinstance(line, LineFault):
                    faults.append(line)
                elif line is not None:
                    lines += 1
                    if lines > most:
                        faults.append(too_many(number, most))
                        break
                    if len(models) < 2:
                        models.add(line.model)
                    for repeated in known.add(line.custom_id, number):
                        faults.append(duplicate(*repeated))
                if len(faults) >= MOST_FAULTS:
                    break
        except Unreadable as error:
            faults.append(unreadable(number + 1, error))
        faults += [duplicate(*repeated) for repeated in known.rest()]
    if not lines and not faults:
        faults.append(empty_file())
    faults.sort(key=lambda fault: fault.line or 0)
    return Verdict(lines, tuple(faults[:MOST_FAULTS]), models.pop() if len(models) == 1 else None)
