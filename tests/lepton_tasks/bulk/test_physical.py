"""Files as they come: packed or not, damaged, endless; memory stays bounded."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

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


Pack = Callable[[bytes], bytes]


def zstd_checked(data: bytes) -> bytes:
    """As the command ``zstd`` packs: with a checksum of the content."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKED = pytest.mark.parametrize(
    ("pack", "suffix", "code"),
    [(gzip.compress, ".gz", "broken_gzip"), (zstd_checked, ".zst", "broken_zstd")],
    ids=["gzip", "zstd"],
)


@PACKED
@pytest.mark.parametrize("named", [True, False])
def test_packing_is_told_by_the_content(
    tmp_path: Path, pack: Pack, suffix: str, code: str, named: bool
) -> None:
    members = pack(b"one\ntw") + pack(b"o\n\nthree")
    path = write(tmp_path / f"in.jsonl{suffix if named else ''}", members)
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
    with pytest.raises(InvalidInput, match=r"called \.zst but is not zstd"):
        InputFile(write(tmp_path / "in.jsonl.zst", gzip.compress(b'"text"\n')))


ROWS = [
    b"%d %s\n" % (number, zlib.adler32(b"%d" % number).to_bytes(4).hex().encode())
    for number in range(20_000)
]


@PACKED
@pytest.mark.parametrize("cut", [1, 9, 2000])
def test_a_truncated_file_gives_what_it_has(
    tmp_path: Path, pack: Pack, suffix: str, code: str, cut: int
) -> None:
    path = write(tmp_path / f"in{suffix}", pack(b"".join(ROWS))[:-cut])
    lines, found = read(path)
    assert found == code
    assert lines == ROWS[: len(lines)]
    assert len(lines) > 1000


@PACKED
def test_a_file_that_ends_in_something_else_is_noticed(
    tmp_path: Path, pack: Pack, suffix: str, code: str
) -> None:
    lines, found = read(write(tmp_path / f"in{suffix}", pack(b"one\n") + b'"more"\n'))
    assert (lines, found) == ([b"one\n"], code)


@PACKED
def test_damage_is_noticed(tmp_path: Path, pack: Pack, suffix: str, code: str) -> None:
    data = bytearray(pack(b"a line\n" * 1000))
    data[-8 if suffix == ".gz" else -1] ^= 1  # in the checksum
    assert read(write(tmp_path / f"in{suffix}", bytes(data)))[1] == code
    data[len(data) // 2 :] = b"\xff" * 10
    assert read(write(tmp_path / f"in{suffix}", bytes(data)))[1] == code


def test_a_window_that_would_take_much_memory_is_refused(tmp_path: Path) -> None:
    long = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    path = write(tmp_path / "in.zst", long.compress(b"one\n") + long.flush())
    with InputFile(path) as file, pytest.raises(Unreadable, match="without --long"):
        list(file.lines())


def test_a_line_over_the_cap_is_passed_over(tmp_path: Path) -> None:
    longest = b"x" * (MAX_LINE_BYTES - 1) + b"\n"
    path = write(
        tmp_path / "in.jsonl", b"a\n" + longest + b"x" + longest + b"b\n" + b"x" * 3_000_000
    )
    assert read(path) == ([b"a\n", longest, None, b"b\n", None], None)


@PACKED
def test_blank_lines_without_end(tmp_path: Path, pack: Pack, suffix: str, code: str) -> None:
    blank = b"\n" * MAX_BLANK_LINES
    path = write(tmp_path / "in", pack(b"a\n" + blank + b"b\n" + blank + b"\nc\n"))
    lines, found = read(path)
    assert found == "endless_blank"
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


MEBIBYTE = 1 << 20
BOMBS = {
    "a line that is too long": (b" " * MEBIBYTE, 40, ["", "line_too_long", ""]),
    "a line without end": (b" " * MEBIBYTE, 1024, ["", "endless_line"]),
    "blank lines without end": (b"\n" * MEBIBYTE, 1024, ["", "invalid_json", "endless_blank"]),
}


@PACKED
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_decompression_bomb_does_not_grow_memory(
    tmp_path: Path, pack: Pack, suffix: str, code: str, bomb: str
) -> None:
    filler, times, codes = BOMBS[bomb]
    path = tmp_path / f"in.jsonl{suffix}"
    path.write_bytes(pack(b'"a"\n"' + filler) + pack(filler) * times + pack(b'"\n"b"\n'))
    assert path.stat().st_size < MEBIBYTE * 2
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    grown, *found = done.stdout.rstrip("\n").split(" ")
    assert found == codes
    assert int(grown) < 16


def test_one_long_frame_does_not_grow_memory_over_its_window(tmp_path: Path) -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    path = tmp_path / "in.jsonl.zst"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(packer.compress((b" " * 999_999 + b"\n") + b" " * 48_576))
        file.write(packer.flush())
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout.split(" ")[0]) < 128 + 16


def test_whoever_looks_ends_what_yields_nothing(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    places: list[int] = []

    def look(place: int) -> None:
        places.append(place)
        if place >= 1 << 18:
            raise Enough

    path = write(tmp_path / "in", zstd.compress(b"") * 60_000)
    with InputFile(path, look) as file, pytest.raises(Enough):
        next(file.lines())
    assert places[0] == 0
    assert places == sorted(places)
