"""Traditional Chinese characters as simplified ones, each by itself."""

from __future__ import annotations

from typing import Final

import opencc

_BLOCKS: Final = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00))


def simplified_characters() -> dict[int, str]:
    """Table for :meth:`str.translate`; no character becomes two or none. Takes 0.1 s to make.

    >>> "後來，臺灣的圖書館".translate(simplified_characters())
    '后来，台湾的图书馆'
    """
    convert = opencc.OpenCC("t2s").convert
    found = ((code, convert(chr(code))) for block in _BLOCKS for code in range(*block))
    return {code: one for code, one in found if len(one) == 1 and one != chr(code)}
