"""Unicode cleaning that every text task shares."""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f]")
SPACES = re.compile(r"\s+")
MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)


def clean_text(text: str) -> str:
    r"""Return ``text`` in NFKC, without invisible characters, on one line.

    Full-width letters become plain ones, zero-width and control characters go,
    runs of white space become one space, and stacks of combining marks keep two.

    >>> clean_text("ｆｒｅｅ\u200b  gift\n now")
    'free gift now'
    >>> clean_text("你 好，\ufeff世界")
    '你 好,世界'
    """
    text = unicodedata.normalize("NFKC", MARKS.sub(r"\1", text))
    text = CONTROL.sub(" ", INVISIBLE.sub("", text))
    return SPACES.sub(" ", text).strip()
