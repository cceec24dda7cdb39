"""Single steps of cleaning a text, each its own function: HTML, emoji, width, look-alikes."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_NAMES: Final = (
    "a abbr address article aside audio b base blockquote body br button canvas caption center "
    "cite code col colgroup data dd del details div dl dt em embed fieldset figcaption figure "
    "font footer form h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label "
    "legend li link main map mark meta nav noscript object ol option p picture pre q s samp "
    "script section select small source span strike strong style sub summary sup svg table tbody "
    "td template textarea tfoot th thead time title tr u ul var video wbr"
)
_ELEMENTS: Final = frozenset(_NAMES.split())
_INLINE_NAMES: Final = (
    "a abbr b cite code data del em font i ins kbd label mark q s samp small span strike strong "
    "sub sup time u var wbr"
)
_INLINE: Final = frozenset(_INLINE_NAMES.split())
_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,15})(?=[\s/>])[^<>]*>")
_DECLARATION: Final = re.compile(r"<[!?][A-Za-z][^<>]*>")
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_COMMENT: Final = ("<!--", "-->")

EMOJI: Final = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3"
    "|[\u2600-\u2604\u2607-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff]"
    "[\ufe0f\U0001f3fb-\U0001f3ff]{0,2}"
    "(?:\u200d[\u2600-\u27bf\U0001f000-\U0001faff][\ufe0f\U0001f3fb-\U0001f3ff]{0,2}){0,6}"
)
"""One emoji as people see it: with its skin tone, joined persons, flags and keycaps whole."""
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
    "|\u200d(?![\u2600-\u27bf\U0001f000-\U0001faff])"
    "|(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d"
)
_CONTROL: Final = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x9f]")
_SPACES: Final = re.compile(r"\s+")

_LETTERS: Final = {
    0xFF00 + low: 0x20 + low for low in range(0x10, 0x5F) if chr(0x20 + low).isalnum()
}
_ALL_WIDE: Final = {0xFF00 + low: 0x20 + low for low in range(0x01, 0x5F)}

_LOOKS_LIKE: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοѵɡ",
    "ABESIJKMHOPCTYXaesijopcyxdqwABEZHIKMNOPTYXovg",
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_LATIN: Final = re.compile("[A-Za-z]")


def strip_html(text: str) -> str:
    r"""Remove tags, comments, scripts and styles of HTML and decode entities.

    Elements that stand on lines of their own leave a line break. What is no element of HTML
    stays: a comparison, a type in angle brackets.

    >>> strip_html("<p>1 &lt; 2<br/>List<String> <b>bold</b></p><!-- no --><script>x()</script>")
    '\n1 < 2\nList<String> bold\n\n\n'
    """
    if "<" in text:
        text = "".join(_outside_tags(text))
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _outside_tags(text: str) -> list[str]:
    parts: list[str] = []
    lower = text.lower() if text.isascii() else "".join(map(_lower, text))
    unclosed: set[str] = set()
    at = 0

    def found_at(mark: str, start: int) -> int | None:
        """Place of the first ``mark`` after ``start``; one that is absent is sought once."""
        if mark in unclosed:
            return None
        found = lower.find(mark, start)
        if found < 0:
            unclosed.add(mark)
            return None
        return found

    while (begin := text.find("<", at)) >= 0:
        parts.append(text[at:begin])
        at = begin
        opening, closing = _COMMENT
        if text.startswith(opening, begin):
            end = found_at(closing, begin + len(opening))
            end = None if end is None else end + len(closing)
        elif (match := _TAG.match(text, begin)) and match[2].lower() in _ELEMENTS:
            name, end = match[2].lower(), match.end()
            if name in ("script", "style") and not match[1]:
                end = found_at(f"</{name}", end) or end
            if name not in _INLINE:
                parts.append("\n")
        else:
            match = _DECLARATION.match(text, begin)
            end = match.end() if match else None
        if end is None:
            parts.append("<")
            end = begin + 1
        at = end
    parts.append(text[at:])
    return parts


def remove_emoji(text: str) -> str:
    """Leave out every emoji.

    >>> remove_emoji("好的👍🏽！ ok 👨‍👩‍👧")
    '好的！ ok '
    """
    return EMOJI.sub("", text)


def name_emoji(text: str) -> str:
    """Write every emoji as its Unicode name between colons.

    >>> name_emoji("好👍🏽 🇨🇳 1️⃣")
    '好:thumbs_up_sign: :flag_cn: :keycap_1:'
    """
    return EMOJI.sub(lambda match: f":{_name(match[0])}:", text)


def _name(emoji: str) -> str:
    if "\U0001f1e6" <= emoji[0] <= "\U0001f1ff":
        return "flag_" + "".join(chr(ord(one) - 0x1F1E6 + ord("a")) for one in emoji)
    if emoji[-1] == "\u20e3":
        return f"keycap_{emoji[0]}"
    bases = [one for one in emoji if one not in "\ufe0f\u200d" and not _is_tone(one)] or [emoji[0]]
    return "_".join(unicodedata.name(one, "emoji").lower().replace(" ", "_") for one in bases)


def _is_tone(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def remove_invisible(text: str) -> str:
    r"""Leave out zero-width, direction and other invisible characters, but not inside emoji.

    >>> remove_invisible("a\u200bb\u202e 👨‍👩")
    'ab 👨‍👩'
    """
    return _INVISIBLE.sub("", text)


def narrow_letters(text: str) -> str:
    """Make full-width letters and digits plain; punctuation stays.

    >>> narrow_letters("ＡＢＣ１２３，好！")
    'ABC123，好！'
    """
    return text.translate(_LETTERS)


def narrow_all(text: str) -> str:
    """Make full-width letters, digits and punctuation plain.

    >>> narrow_all("ＡＢＣ，好！")
    'ABC,好!'
    """
    return text.translate(_ALL_WIDE)


def replace_homoglyphs(text: str) -> str:
    """Write Cyrillic and Greek letters that look Latin as Latin, in words that are half Latin.

    >>> replace_homoglyphs("pаypаl раураl привет")  # the second word has no Latin but its l
    'paypal paypal привет'
    """
    return text if text.isascii() else _WORD.sub(lambda match: _latin(match[0]), text)


def _latin(word: str) -> str:
    if word.isascii() or not _LATIN.search(word):
        return word
    replaced = word.translate(_LOOKS_LIKE)
    return replaced if all(one < "\u0250" for one in replaced) else word


def lower_in_place(text: str) -> str:
    """Lower case, character by character, so that no offset moves.

    >>> len(lower_in_place("İO")), lower_in_place("ABC北京")
    (2, 'abc北京')
    """
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def _lower(character: str) -> str:
    low = character.lower()
    return low if len(low) == 1 else character


def tidy_spaces(text: str) -> str:
    r"""Compose characters (NFC), drop control characters, and shorten white space to one.

    White space that holds a line break becomes one; it ends a sentence.

    >>> tidy_spaces("  a\t b \r\n\n c\x07 ")
    'a b\nc'
    """
    text = _CONTROL.sub(" ", unicodedata.normalize("NFC", text))
    return _SPACES.sub(
        lambda match: "\n" if "\n" in match[0] or "\r" in match[0] else " ", text
    ).strip()
