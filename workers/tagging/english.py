"""Words of a text in Latin script, cut as in the English Web Treebank.

Clitics ("do|n't", "it|'s") and most hyphens ("well|-|known") are cut; links, e-mail
addresses, numbers, dates, abbreviations with their stop and emoticons stay whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

Span = tuple[int, int]

_ABBREVIATIONS: Final = (
    "mr mrs ms dr prof rev hon st ave blvd rd ft mt jr sr inc corp co ltd llc dept univ assn "
    "bros gen col maj capt lt sgt cmdr gov sen rep pres vs etc fig vol pp ed eds "
    "jan feb mar apr jun jul aug sept sep oct nov dec tue tues wed thu thur thurs fri "
    "ext attn tel approx est cf viz calif ont conn"
)
ABBREVIATIONS: Final = frozenset(_ABBREVIATIONS.split())
"""Words to which a stop after them belongs."""
_PREFIXES: Final = (
    "e|co|pre|post|non|anti|pro|ex|re|multi|semi|mid|inter|intra|sub|bi|un|pseudo|psycho|cross"
)
_ENDINGS: Final = "com|org|net|edu|gov|info|biz|docx?|pdf|xlsx?|txt|jpe?g|png|gif|zip|exe|html?"
_CLITIC: Final = r"['’`](?:s|re|ve|ll|d|m)(?!\w)"
_TWO_WORDS: Final = (
    "cannot:3 gonna:3 wanna:3 gotta:3 outta:3 lemme:3 gimme:3 dont:2 cant:2 wont:2 didnt:3 "
    "doesnt:4 isnt:2 arent:3 wasnt:3 werent:4 wouldnt:5 couldnt:5 shouldnt:6 havent:4 hasnt:3 "
    "hadnt:3 im:1 ive:1 thats:4 youre:3 theyre:4"
)
_CUTS: Final = {word: int(cut) for word, cut in (pair.split(":") for pair in _TWO_WORDS.split())}
_INITIAL: Final = re.compile(r"\.(?=\s?[A-Z])")

_TOKEN: Final = re.compile(
    rf"""
    (?:https?://|ftp://|www\.|mailto:)[^\s<>"]*[\w/=&\#%-]
    |[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}
    |(?<!\w)(?:[:;=]['-]?(?:[)(DP|*\]\[3]+|[/\\oO])(?![\w/])|<3+|\^_+\^)
    |[\U0001f1e6-\U0001f1ff]{{2}}
    |[\u2600-\u27bf\U0001f300-\U0001faff](?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2600-\U0001faff])*
    |\w[\w-]{{0,60}}(?:\.\w[\w-]{{0,60}}){{0,4}}\.(?i:{_ENDINGS})(?!\w)
    |(?<![\w.])[a-z]{{2,20}}(?:\.[a-z]{{2,20}}){{2,6}}(?![\w.])
    |(?<!\w)(?:[A-Za-z]\.){{2,8}}(?:[A-Za-z](?!\w))?
    |\d{{1,4}}/\d{{1,2}}(?:/\d{{1,4}})?(?![\w/])
    |\d{{1,2}}-(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-\d{{2,4}}(?!\w)
    |\d{{1,2}}:\d{{2}}(?::\d{{2}})?
    |(?:\d{{3}}[-.])?\d{{3}}[-.]\d{{4}}(?!\w)
    |\d+(?:[.,]\d+)*(?:(?i:st|nd|rd|th|s)(?!\w))?
    |(?i:n['’]t(?!\w)|{_CLITIC})
    |(?i:w/o?(?!\w)|b/c(?!\w))
    |[A-Z]{{1,4}}&[A-Z]{{1,2}}(?!\w)
    |(?<!\w)(?i:{_PREFIXES})-[^\W\d_]+
    |(?P<word>[^\W\d_]+?(?=(?i:n['’]t)(?!\w))
       |[^\W\d_]+(?:['’](?!(?i:s|re|ve|ll|d|m)(?!\w))[^\W\d_]+)*\w*)
    |[.!?]{{2,}}
    |(?P<mark>[^\w\s]|_)(?P=mark)*
    """,
    re.VERBOSE,
)


def split_words(text: str) -> Iterator[Span]:
    """Yield start and end of every word; together they hold every character but white space.

    >>> text = "Mr. O'Neill can't pay $1,000.50 to well-known e-mail@x.org..."
    >>> " ".join(text[start:end] for start, end in split_words(text))
    "Mr. O'Neill ca n't pay $ 1,000.50 to well - known e-mail@x.org ..."
    """
    at = 0
    while (match := _TOKEN.search(text, at)) is not None:
        start, at = match.span()
        if match["word"] is not None:
            low = match["word"].lower()
            if (cut := _CUTS.get(low)) is not None:
                yield start, start + cut
                start += cut
            elif text[at : at + 1] == "." and (
                (low in ABBREVIATIONS and not (low == "etc" and not text[at + 1 :].strip()))
                or (at - start == 1 and low != "i" and _INITIAL.match(text, at))
            ):
                at += 1
        yield start, at
