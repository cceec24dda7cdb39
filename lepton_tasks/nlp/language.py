"""Which of the languages that have models a text is in, by script alone."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

Language = Literal["en", "zh"]
"""What a job may say of its texts' language."""
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

UNDETERMINED = "und"
"""ISO 639-2 code for a text that is in none of the scripts below."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_OTHER = re.compile(
    r"[\u0370-\u1fff\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\ua000-\ud7ff\uff66-\uff9f]"
)
_LETTERS_PER_HAN = 4
_LOOK_AT = 4_000


def detect_language(text: str) -> str:
    """Return ``"zh"``, ``"en"`` or ``"und"`` for ``text``, by the script of most of it.

    A Han character counts as four Latin letters, since it carries about a word,
    and the Latin script is taken as English. A text without either, or with more
    than one letter of kana, hangul, Cyrillic, Arabic and the like to three of
    those, is undetermined. Only the first 4,000 characters are looked at.

    >>> detect_language("今天天气很好"), detect_language("A fine day"), detect_language("好 day")
    ('zh', 'en', 'zh')
    >>> detect_language("这个 app 做得真不错"), detect_language("He said 好 to everybody")
    ('zh', 'en')
    >>> [detect_language(text) for text in ("Привет, мир", "今日は良い天気です", "12:30 ?!")]
    ['und', 'und', 'und']
    """
    head = text[:_LOOK_AT]
    han, latin, other = (len(script.findall(head)) for script in (_HAN, _LATIN, _OTHER))
    if han + latin == 0 or 3 * other > han + latin:
        return UNDETERMINED
    return "zh" if _LETTERS_PER_HAN * han >= latin else "en"
