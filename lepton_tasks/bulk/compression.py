"""How a file may be packed, told by its first bytes: gzip, Zstandard or not at all."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from backports import zstd

HEAD_BYTES: Final = 4
"""First bytes of a file that tell how it is packed."""
WINDOW_LOG: Final = 27
"""Two's power of bytes that unpacking Zstandard may hold: 128 MiB, as the command ``zstd``
takes unasked. Its levels up to 19 write windows of 8 MiB and less."""


@dataclass(frozen=True, slots=True)
class Compression:
    """One way of packing. ``faults`` are what a damaged stream raises while it is read."""

    name: str
    suffix: str
    magics: tuple[bytes, ...]
    unpack: Callable[[BinaryIO], BinaryIO]
    faults: tuple[type[Exception], ...]

    def problem(self, error: Exception) -> tuple[str, str]:
        """Code and message for a stream that raised one of ``faults``."""
        if isinstance(error, EOFError):
            says = "ends too early; copy the file again"
        elif "too much memory" in str(error):
            says = f"needs over {1 << WINDOW_LOG - 20} MiB to unpack; pack it without --long"
        else:
            says = f"is damaged ({error}); copy the file again"
        return f"broken_{self.name}", f"the {self.name} stream {says}"


def _gunzip(file: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))


def _unzstd(file: BinaryIO) -> BinaryIO:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    return cast("BinaryIO", zstd.ZstdFile(file, "rb", options=options))


_PLAIN: Final = Compression("plain", "", (), lambda file: file, ())
_SKIPPED: Final = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))
"""Frames of Zstandard without data; files of pzstd begin with one."""
_PACKED: Final = (
    Compression("gzip", ".gz", (b"\x1f\x8b",), _gunzip, (EOFError, gzip.BadGzipFile, zlib.error)),
    Compression(
        "zstd", ".zst", (b"\x28\xb5\x2f\xfd", *_SKIPPED), _unzstd, (EOFError, zstd.ZstdError)
    ),
)


def compression_of(head: bytes) -> Compression:
    r"""Tell how a file that begins with ``head`` is packed.

    >>> [compression_of(head).name for head in (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b'{"te')]
    ['gzip', 'zstd', 'plain']
    """
    return next((one for one in _PACKED if head.startswith(one.magics)), _PLAIN)


def compression_named(path: Path) -> Compression | None:
    """Return the compression that the name of ``path`` promises.

    >>> compression_named(Path("in.csv.zst")).suffix, compression_named(Path("in.csv"))
    ('.zst', None)
    """
    suffix = path.suffix.lower()
    return next((one for one in _PACKED if one.suffix == suffix), None)
