"""Raw text for language models: how documents lie in a file, and how much of it there must be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import orjson

LEAST_DOCUMENTS: Final = 10
LEAST_CHARACTERS: Final = 1_000
MOST_LINE_BYTES: Final = 256 * 1024
MOST_CHARACTERS: Final = 100_000
"""Of a document of a text file; a longer one is cut at the end of a line."""


def text_fault(name: str, documents: int, characters: int) -> str | None:
    """What is wrong with the whole of a text; None where it can be learned from.

    >>> text_fault("diary.txt", 3, 5_000)
    'diary.txt: there are 3 documents; training takes 10 at least. Blank lines separate them'
    >>> text_fault("diary.txt", 30, 5_000)
    """
    if not documents:
        return f"{name}: there is no text in it"
    if documents < LEAST_DOCUMENTS:
        return (
            f"{name}: there are {documents} documents; training takes {LEAST_DOCUMENTS} at least. "
            "Blank lines separate them"
        )
    if characters < LEAST_CHARACTERS:
        return (
            f"{name}: there are {characters:,} characters; training takes {LEAST_CHARACTERS:,} at "
            "least"
        )
    return None


def read_documents(lines: BinaryIO, name: str) -> Iterator[str]:
    """Yield the documents of a file; ``name`` is what messages call it, and its ending counts.

    A file whose name ends in ``.jsonl`` has an object with ``text`` in each line. In any other
    blank lines separate documents.

    Raises:
        ValueError: a line is wrong; the message names it and quotes nothing of it.
    """
    if name.endswith(".jsonl"):
        yield from read_lines(lines, name)
        return
    held: list[str] = []
    size = 0
    for number, line in _bounded(lines, name):
        text = _decoded(line, f"{name}, line {number}")
        if held and (text.isspace() or size + len(text) > MOST_CHARACTERS):
            yield "".join(held)
            held, size = [], 0
        if not text.isspace():
            held.append(text)
            size += len(text)
    if held:
        yield "".join(held)


def read_lines(lines: BinaryIO, name: str) -> Iterator[str]:
    """Yield the text of each line that is not blank: its ``text`` where ``name`` is a ``.jsonl``.

    Raises:
        ValueError: a line is wrong; the message names it and quotes nothing of it.
    """
    for number, line in _bounded(lines, name):
        where = f"{name}, line {number}"
        if line.isspace():
            continue
        if name.endswith(".jsonl"):
            yield _text_of(line, where)
        elif not (text := _decoded(line, where)).isspace():
            yield text.rstrip("\r\n")


def _bounded(lines: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := lines.readline(MOST_LINE_BYTES + 1):
        number += 1
        if len(line) > MOST_LINE_BYTES:
            raise ValueError(f"{name}, line {number}: it has over {MOST_LINE_BYTES:,} bytes")
        yield number, line


def _decoded(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{where}: it is no UTF-8; convert the file") from None


def _text_of(line: bytes, where: str) -> str:
    try:
        value = orjson.loads(line)
    except ValueError:
        raise ValueError(f"{where}: it is no JSON") from None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str) or not text or text.isspace():
        raise ValueError(f"{where}: it has to be an object with a text that is not empty")
    return text
