"""The first lines of a file: what is wrong there, however it is packed, and no more."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import orjson
import pytest
from backports import zstd

from lepton_tasks.batches.head import (
    HEAD_BYTES,
    HEAD_LINES,
    MOST_BYTES,
    MOST_PACKED,
    head_fault,
)
from lepton_tasks.batches.request_lines import LineFault
from lepton_tasks.errors import StorageUnavailable

ENDPOINT = "/v1/moderations"
PADDING = struct.pack("<II", 0x184D2A50, 0)
"""A frame of Zstandard that is skipped."""


def a_line(custom_id: object, **changes: Any) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": {"input": "你好"}}
    return orjson.dumps(line | changes, option=orjson.OPT_APPEND_NEWLINE)


def fault_of(tmp_path: Path, content: bytes) -> LineFault | None:
    path = tmp_path / "file_1"
    path.write_bytes(content)
    return head_fault(path, ENDPOINT)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_good_lines(tmp_path: Path, pack: Any) -> None:
    lines = b"".join(a_line(str(number)) for number in range(5))
    assert fault_of(tmp_path, pack(lines + b"\n")) is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd.compress])
def test_the_first_fault_is_told_with_its_line(tmp_path: Path, pack: Any) -> None:
    content = a_line("a") + b"\n" + a_line("b", url="/v1/embeddings") + b"{"
    fault = fault_of(tmp_path, pack(content))
    assert fault is not None
    assert (fault.code, fault.line) == ("invalid_url", 3)


def test_a_custom_id_that_comes_twice(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, a_line("a") + a_line("b") + a_line("a"))
    assert fault is not None
    assert (fault.code, fault.line) == ("duplicate_custom_id", 3)
    assert "line 1 " in fault.message


@pytest.mark.parametrize("content", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_a_file_without_lines(tmp_path: Path, content: bytes) -> None:
    fault = fault_of(tmp_path, content)
    assert fault is not None and (fault.code, fault.line) == ("empty_file", None)


def test_a_stream_that_is_cut_off(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, gzip.compress(a_line("a") * 2)[:-12])
    assert fault is not None and fault.code == "broken_gzip"


def test_a_line_over_the_cap(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, a_line("a", body={"input": "x" * (1 << 20)}))
    assert fault is not None and (fault.code, fault.line) == ("line_too_long", 1)


def test_no_more_than_the_head_is_read(tmp_path: Path) -> None:
    lines = [a_line(str(number)) for number in range(HEAD_LINES)]
    assert fault_of(tmp_path, b"".join(lines) + b"{") is None
    assert fault_of(tmp_path, b"".join(lines[:-1]) + b"{") is not None
    assert fault_of(tmp_path, a_line("a", note="x" * HEAD_BYTES) + b"{") is None


@pytest.mark.parametrize("frame", [gzip.compress(b"", mtime=0), zstd.compress(b""), PADDING])
def test_frames_without_bytes_are_not_read_to_their_end(tmp_path: Path, frame: bytes) -> None:
    many = frame * (MOST_PACKED // len(frame))
    wrong = gzip.compress(b"{") if frame[:2] == b"\x1f\x8b" else zstd.compress(b"{")
    assert fault_of(tmp_path, frame * 10 + wrong) is not None
    assert fault_of(tmp_path, many * 2 + wrong) is None


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    assert fault_of(tmp_path, b"x" * (MOST_BYTES + (1 << 20)) + b"\n{") is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable) as caught:
        head_fault(tmp_path / "file_1", ENDPOINT)
    assert str(tmp_path) not in str(caught.value)
