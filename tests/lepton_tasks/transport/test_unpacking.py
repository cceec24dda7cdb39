from __future__ import annotations

import bz2
import lzma
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from kombu.compression import compress, encoders

from lepton_tasks.transport.unpacking import Unpackable, unpack

WIDE = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 30}
"""Asks for a gigabyte of memory."""
TEXT = "你好 world " * 100
WIDE_ZSTD = bytes.fromhex("28b52ffd00a0010000")
"""A frame that asks for a gigabyte: its window is two to the 30th."""


@pytest.mark.parametrize("method", ["gzip", "bzip2", "lzma", *encoders()])
def test_what_kombu_packs_is_unpacked(method: str) -> None:
    packed, content_type = compress(TEXT.encode(), method)
    assert unpack(packed, method, 10_000).decode() == TEXT
    assert unpack(packed, content_type, 10_000).decode() == TEXT


@pytest.mark.parametrize(
    ("pack", "method"),
    [
        (zlib.compress, "gzip"),
        (bz2.compress, "bzip2"),
        (lzma.compress, "xz"),
        (zstd.compress, "zstd"),
    ],
)
def test_a_body_that_grows_beyond_the_bound_costs_no_memory(
    pack: Callable[[bytes], bytes], method: str
) -> None:
    packed = pack(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(Unpackable, match="longer than 1000 bytes"):
        unpack(packed, method, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert len(unpack(pack(bytes(1000)), method, 1000)) == 1000


@pytest.mark.parametrize(
    ("packed", "method", "words"),
    [
        (b"", "gzip", "cut off"),
        (zlib.compress(TEXT.encode())[:-5], "gzip", "cut off"),
        (b"secret", "gzip", "cannot be decompressed"),
        (b"secret", "bzip2", "cannot be decompressed"),
        (b"secret", "lzma", "cannot be decompressed"),
        (
            lzma.compress(b"x", lzma.FORMAT_ALONE, filters=[WIDE]),
            "lzma",
            "cannot be decompressed",
        ),
        (b"secret", "zstd", "cannot be decompressed"),
        (zstd.compress(TEXT.encode())[:-5], "zstd", "cut off"),
        (WIDE_ZSTD, "zstd", "cannot be decompressed"),
        (b"secret", "brotli", "another method"),
        (b"secret", ["secret"], "another method"),
    ],
)
def test_what_cannot_be_unpacked_is_said(packed: bytes, method: object, words: str) -> None:
    with pytest.raises(Unpackable, match=words) as refusal:
        unpack(packed, method, 10_000)
    assert "secret" not in str(refusal.value)
