"""Texts told while they are written: ``lepton run`` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, TextIO

from pydantic import BaseModel

from lepton_tasks.nlp.base import TaskOptions
from lepton_tasks.nlp.registry import AnyTask
from workers.generation.writing import WritingEngine, Written


def tell(
    task: AnyTask, engine: WritingEngine, items: Sequence[Any], options: TaskOptions, out: TextIO
) -> list[BaseModel]:
    """Write the text of each admitted item to ``out``, piece by piece; returns the outputs.

    One text comes after the other, several of them numbered. An interrupt ends the line and
    what is being written. Raises whatever the task or the engine raises for one of them.
    """
    outputs = []
    generator = engine.generator()
    generator.start()
    try:
        for number, item in enumerate(items, 1):
            if len(items) > 1:
                out.write(f"[{number}]\n")
            given = task.encode(task.read_item(item), options)
            [encoded] = engine.tokenize([given])
            told: SimpleQueue[str | Written | Exception] = SimpleQueue()
            generator.submit(encoded.tokens.request(str(number), 0, ""), told.put, told.put)
            raw = _told(told, out).raw()
            out.write("\n\n" if number < len(items) else "\n")
            out.flush()
            outputs.append(task.decode(raw, given, options))
    finally:
        generator.stop()
    return outputs


def _told(told: SimpleQueue[str | Written | Exception], out: TextIO) -> Written:
    """Write pieces as they come until the text has ended; returns how."""
    ended = False
    try:
        while True:
            piece = told.get()
            if isinstance(piece, Exception):
                raise piece
            if not isinstance(piece, str):
                ended = True
                return piece
            out.write(piece)
            out.flush()
    finally:
        if not ended:
            out.write("\n")
