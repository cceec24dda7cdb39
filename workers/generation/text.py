"""From tokens to text while it grows: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tokenizers import Tokenizer

_BROKEN: Final = "\N{REPLACEMENT CHARACTER}"
_MOST_OPEN: Final = 16
"""Tokens without a readable end after which they are taken for broken, not for unfinished."""


class TextDecoder:
    """Decodes one text token by token. The pieces joined are the text.

    A character that is spread over several tokens, as Chinese and emoji often are, comes
    out with its last one. Special tokens are left out. A step decodes a few tokens,
    however long the text is: those that were read last, because spaces depend on what
    stands before, and those not read yet.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []
        self._open: list[int] = []

    def add(self, token: int) -> str:
        """Return what can be read with ``token`` and could not before; often nothing."""
        self._open.append(token)
        text = self._text()
        if (not text or text.endswith(_BROKEN)) and len(self._open) < _MOST_OPEN:
            return ""
        return self._settle(text)

    def finish(self) -> str:
        """Return what is left, broken characters marked as such."""
        return self._settle(self._text())

    def _text(self) -> str:
        before = self._decode(self._before)
        return self._decode([*self._before, *self._open])[len(before) :]

    def _settle(self, text: str) -> str:
        if text:
            self._before = self._open
        self._open = []
        return text

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


class StopScan:
    r"""Looks for stop strings in a text that comes in pieces of any size.

    The stop string that is complete first ends the text. What may be the beginning of
    one is held back until it is clear.

    >>> scan = StopScan(["\n\n", "END"])
    >>> scan.add("one E"), scan.add("N"), scan.add("Ough\nt"), scan.add("wo END three")
    ('one ', '', 'ENOugh\nt', 'wo ')
    >>> scan.stopped
    True
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def add(self, text: str) -> str:
        """Return what of the text so far is certain to stay and was not returned before."""
        text = self._held + text
        ends = [
            (place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0
        ]
        if ends:
            self.stopped = True
            self._held = ""
            return text[: min(ends)[1]]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """Return what was held back: the text is over."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` with which ``stop`` begins.

    >>> _overlap("abab", "abac")
    2
    """
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
