"""Compressed bodies, unpacked no further than a message may be long.

kombu unpacks without a bound: sixteen megabytes can hold as many gigabytes of zeros.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Final

from backports import zstd

_LZMA_MEMORY: Final = 80 * 1024 * 1024
"""Enough for what any preset has packed; a body says itself how much it wants."""


_ZSTD_WINDOW_LOG: Final = 24
"""Two's power of the bytes that unpacking Zstandard may hold: a message is no longer."""


def _lzma() -> Any:
    return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)


def _zstd() -> Any:
    return zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    )


_GZIP: Final[Callable[[], Any]] = zlib.decompressobj
_UNPACKERS: Final[dict[str, Callable[[], Any]]] = {
    "application/x-gzip": _GZIP,
    "gzip": _GZIP,
    "zlib": _GZIP,
    "application/x-bz2": bz2.BZ2Decompressor,
    "bzip2": bz2.BZ2Decompressor,
    "bzip": bz2.BZ2Decompressor,
    "application/x-lzma": _lzma,
    "lzma": _lzma,
    "xz": _lzma,
    "application/zstd": _zstd,
    "zstd": _zstd,
    "zstandard": _zstd,
}
"""By kombu's names of the methods that it may have here."""


class Unpackable(ValueError):
    """A body that is not unpacked; the text says why and quotes nothing of it."""


def unpack(body: bytes, method: object, most: int) -> bytes:
    """Unpack a body of at most ``most`` bytes.

    >>> unpack(zlib.compress(b"text"), "gzip", 100)
    b'text'

    Raises:
        Unpackable: the method is none of gzip, bzip2, lzma and zstd, the body was not packed by
            it or not wholly, or it is too long.
    """
    unpacker = _UNPACKERS.get(method) if isinstance(method, str) else None
    if unpacker is None:
        raise Unpackable("compressed by another method than gzip, bzip2, lzma or zstd")
    try:
        state = unpacker()
        text: bytes = state.decompress(body, most + 1)
    except (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError) as error:
        raise Unpackable("cannot be decompressed") from error
    if len(text) > most:
        raise Unpackable(f"longer than {most} bytes once decompressed")
    if not state.eof:
        raise Unpackable("compressed and cut off")
    return text
