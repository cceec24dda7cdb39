"""Characters that no rule may touch: links, addresses, code, handles, numbers, terms of the job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from workers.editing.draft import Change

_KEPT: Final = re.compile(
    r"""
    ```[\s\S]*?(?:```|\Z) | `[^`\n]+`
    | </?[A-Za-z!][^<>\n]{0,400}>
    | (?:[a-z][a-z0-9+.-]{1,15}://|www\.|mailto:)[^\s<>"，。！？；、（）《》“”]+
    | [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}
    | (?<!\w)[@\#][\w-]+(?:\.[\w-]+)*
    | (?<![A-Za-z])[A-Za-z0-9_-]{1,40}(?:\.[a-z0-9_-]{1,20}){0,4}
      \.(?:com|org|net|edu|gov|io|cn|uk|de|fr|jp|ai|app|dev|info|py|js|ts|md|txt|json|toml|ya?ml|csv
      |html?|pdf|docx?|xlsx?|png|jpe?g|gif|zip|sh|cpp|java|rs|go)(?![A-Za-z0-9])(?:/[^\s，。]*)?
    | (?:\.{0,2}/|~/|[A-Za-z]:\\)[\w.-]+(?:[/\\][\w.-]+)+
    | (?<![A-Za-z])[A-Za-z_][A-Za-z0-9]{0,60}(?:\(\)|(?:_[A-Za-z0-9]*)+|::\w{1,60})
    | [\d０-９]+(?:[.,:/-][\d０-９]+)*
    """,
    re.VERBOSE,
)


def protected(text: str, terms: Sequence[str] = ()) -> bytearray:
    """One byte a character of ``text``: 1 for what stays as it is.

    >>> "".join("x" if one else "." for one in protected("see a.com, x_y or 3.14", ["or"]))
    '....xxxxx..xxx.xx.xxxx'
    """
    mask = bytearray(len(text))
    patterns = [_KEPT]
    if terms:
        longest_first = sorted(terms, key=len, reverse=True)
        patterns.append(re.compile("|".join(re.escape(term) for term in longest_first)))
    for pattern in patterns:
        for match in pattern.finditer(text):
            mask[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    return mask


def allowed(changes: Iterable[Change], mask: bytearray) -> list[Change]:
    """The changes that touch nothing protected, and put nothing into the middle of it."""
    kept = []
    for one in changes:
        if one.start == one.end:
            inside = 0 < one.start < len(mask) and mask[one.start - 1] and mask[one.start]
            if inside:
                continue
        elif mask.find(1, one.start, one.end) >= 0:
            continue
        kept.append(one)
    return kept
