"""Files as they come: gzip or not, damaged, endless; memory stays bounded."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from lepton_tasks.bulk.physical import MAX_BLANK_LINES, MAX_LINE_BYTES, InputFile, Unreadable
from lepton_tasks.errors import InvalidInput


def read(path: Path) -> tuple[list[bytes | None], str | None]:
    """All lines, and the code with which reading ended early."""
    lines: list[bytes | None] = []
    with InputFile(path) as file:
        try:
            lines.extend(file.lines())
        except Unreadable as error:
            return lines, error.code
    return lines, None


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.jsonl"])
def test_gzip_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    members = gzip.compress(b"one\ntw") + gzip.compress(b"o\n\nthree")
    path = write(tmp_path / name, members)
    assert read(path) == ([b"one\n", b"two\n", b"\n", b"three"], None)


def test_plain_lines_and_position(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", b"one\ntwo\n")
    with InputFile(path) as file:
        assert (file.size, file.position) == (8, 0)
        next(file.lines())
        assert file.position == 4


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*absent.jsonl: No such file"):
        InputFile(tmp_path / "absent.jsonl")
    with pytest.raises(InvalidInput, match="not a regular file"):
        InputFile(tmp_path)
    with pytest.raises(InvalidInput, match=r"called \.gz but is not gzip"):
        InputFile(write(tmp_path / "in.jsonl.gz", b'"text"\n'))


@pytest.mark.parametrize("cut", [1, 9, 2000])
def test_a_truncated_gzip_gives_what_it_has(tmp_path: Path, cut: int) -> None:
    rows = [
        b"%d %s\n" % (number, zlib.adler32(b"%d" % number).to_bytes(4).hex().encode())
        for number in range(2000)
    ]
    path = write(tmp_path / "in.gz", gzip.compress(b"".join(rows))[:-cut])
    lines, code = read(path)
    assert code == "broken_gzip"
    assert lines == rows[: len(lines)]
    assert (len(lines) == 2000) == (cut < 2000)


def test_a_damaged_gzip_is_noticed(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"a line\n" * 1000))
    data[-8] ^= 1
    assert read(write(tmp_path / "in.gz", bytes(data)))[1] == "broken_gzip"
    data[len(data) // 2 :] = b"\xff" * 10
    assert read(write(tmp_path / "in.gz", bytes(data)))[1] == "broken_gzip"


def test_a_line_over_the_cap_is_passed_over(tmp_path: Path) -> None:
    longest = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    path = write(
        tmp_path / "in.jsonl", b"a\n" + longest + b"x" + longest + b"b\n" + b"x" * 3_000_000
    )
    assert read(path) == ([b"a\n", longest, None, b"b\n", None], None)


def test_blank_lines_without_end(tmp_path: Path) -> None:
    blank = b"\n" * MAX_BLANK_LINES
    path = write(tmp_path / "in.gz", gzip.compress(b"a\n" + blank + b"b\n" + blank + b"\nc\n", 1))
    lines, code = read(path)
    assert code == "endless_blank"
    assert [line for line in lines if line != b"\n"] == [b"a\n", b"b\n"]


_MEASURE = """
import resource, sys
from pathlib import Path
from lepton_tasks.bulk.reader import LineReader
from lepton_tasks.nlp.registry import get_task
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
with LineReader(Path(sys.argv[1]), get_task("moderation")) as reader:
    before = peak()
    codes = [getattr(line, "code", "") for line in reader]
print(peak() - before, *codes)
"""


def _bomb(path: Path, head: bytes, filler: bytes, times: int, tail: bytes) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(times):
            file.write(filler)
        file.write(tail)
    return path


@pytest.mark.parametrize(
    ("mebibytes", "codes"), [(40, ["", "line_too_long", ""]), (100, ["", "endless_line"])]
)
def test_a_decompression_bomb_does_not_grow_memory(
    tmp_path: Path, mebibytes: int, codes: list[str]
) -> None:
    path = _bomb(tmp_path / "in.jsonl.gz", b'"a"\n"', b" " * 2**20, mebibytes, b'"\n"b"\n')
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    grown, *found = done.stdout.rstrip("\n").split(" ")
    assert found == codes
    assert int(grown) < 16
