"""Lines of pieces of any size."""

from __future__ import annotations


class WholeLines:
    r"""Cuts pieces into lines. However many a line comes in, each byte is copied once or twice.

    >>> lines = WholeLines()
    >>> lines.feed(b"a\nb"), lines.feed(b"c"), lines.feed(b"\n\nd"), lines.rest
    ([b'a'], [], [b'bc', b''], b'd')
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Lines, without their ends, that are whole with this piece."""
        if b"\n" not in piece:
            self._pieces.append(piece)
            return []
        *lines, rest = b"".join([*self._pieces, piece]).split(b"\n")
        self._pieces = [rest]
        return lines

    @property
    def rest(self) -> bytes:
        """What came after the last whole line."""
        return b"".join(self._pieces)
