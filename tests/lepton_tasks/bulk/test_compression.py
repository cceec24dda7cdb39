"""How a file is packed is told by its content, and by its name alone it is promised."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from backports import zstd

from lepton_tasks.bulk.compression import compression_named, compression_of


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(b"a", mtime=0), "gzip"),
        (zstd.compress(b"a"), "zstd"),
        (b"P*M\x18\x04\x00\x00\x00abcd" + zstd.compress(b"a"), "zstd"),
        (b'"P*M"', "plain"),
        (b"\x28\xb5", "plain"),
        (b"", "plain"),
    ],
)
def test_the_first_bytes_tell(data: bytes, name: str) -> None:
    assert compression_of(data).name == name


@pytest.mark.parametrize(
    ("name", "promised"), [("a.csv.GZ", "gzip"), ("a.zst", "zstd"), ("gz", None), ("a.zip", None)]
)
def test_a_name_promises(name: str, promised: str | None) -> None:
    named = compression_named(Path(name))
    assert (named and named.name) == promised


def test_a_fault_is_put_into_words() -> None:
    packed = compression_of(zstd.compress(b""))
    code, message = packed.problem(EOFError())
    assert (code, message) == ("broken_zstd", "the zstd stream ends too early; copy the file again")
    [_, message] = packed.problem(zstd.ZstdError("Frame requires too much memory for decoding"))
    assert message == "the zstd stream needs over 128 MiB to unpack; pack it without --long"
    assert "is damaged (odd)" in packed.problem(zstd.ZstdError("odd"))[1]
