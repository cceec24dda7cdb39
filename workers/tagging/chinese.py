"""Words of a text in Chinese: jieba cuts the Han characters, English rules the rest."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final

from workers.tagging.english import Span, split_words

_HAN: Final = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003134f]{1,400}"
)
"""A run of Han characters; a longer one is cut, since jieba's time grows with its square."""


class ChineseWords:
    """jieba's dictionary, read once: how words are cut, and their own parts of speech.

    Its own loader would keep a cache at a well-known place that other users of the machine
    may write to, and print to the terminal; here nothing is written or printed.
    """

    def __init__(self) -> None:
        import jieba

        jieba.setLogLevel(logging.CRITICAL)
        self._tokenizer = jieba.Tokenizer()
        frequencies: dict[str, int] = {}
        self._kinds: dict[str, str] = {}
        kinds: dict[str, str] = {}
        total = 0
        with self._tokenizer.get_dict_file() as lines:
            for line in lines:
                word, count, kind = line.decode("utf-8").split()
                frequencies[word] = int(count)
                total += int(count)
                self._kinds[word] = kinds.setdefault(kind, kind)
        for word in self._kinds:
            for end in range(1, len(word)):  # what jieba takes for "a longer word may follow"
                frequencies.setdefault(word[:end], 0)
        self._tokenizer.FREQ, self._tokenizer.total = frequencies, total
        self._tokenizer.initialized = True

    def split(self, text: str) -> Iterator[Span]:
        """Yield start and end of every word, as ``split_words`` does."""
        at = 0
        for run in _HAN.finditer(text):
            yield from _shifted(text[at : run.start()], at)
            at = run.start()
            for word in self._tokenizer.cut(run[0]):
                yield at, at + len(word)
                at += len(word)
        yield from _shifted(text[at:], at)

    def kind(self, word: str) -> str:
        """Part of speech that the dictionary gives ``word`` (ICTCLAS's tags), or nothing."""
        return self._kinds.get(word, "")


def _shifted(text: str, by: int) -> Iterator[Span]:
    for start, end in split_words(text):
        yield start + by, end + by
