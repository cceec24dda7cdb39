"""What names a place on a network: e-mail addresses, links, IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from lepton_tasks.nlp.masking import Found

_LATIN: Final = r"A-Za-z0-9\u00c0-\u024f"
_LOCAL_END: Final = re.compile(rf"[{_LATIN}.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}\Z")
_DOMAIN: Final = re.compile(
    rf"[{_LATIN}](?:[{_LATIN}-]{{0,62}})(?:\.[{_LATIN}-]{{1,63}}){{0,8}}"
    rf"\.[A-Za-z\u00c0-\u024f]{{2,24}}(?![{_LATIN}])"
)
_LONGEST_LOCAL: Final = 64
_URL: Final = re.compile(
    r"(?i)(?:(?<![a-z0-9])(?:https?|ftp)://|(?<![a-z0-9.@/-])www\.)"
    r"[a-z0-9\u00c0-\u024f._~:/?#\[\]@!$&'()*+,;=%-]+"
)
_URL_TAIL: Final = ".,;:!?'\"*"
_IPV4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")
_VERSION_CUE: Final = re.compile(r"(?i)(?:\bv(?:ersion|er)?\.?|版本[号:]?)\s?\Z")
_IPV6: Final = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![0-9A-Za-z])")


_SPELLED_AT: Final = r" ?[\[(] ?at ?[\])] ?"
_SPELLED_DOT: Final = r"(?:\.| ?[\[(] ?dot ?[\])] ?)"
_SPELLED: Final = re.compile(
    rf"(?i)(?<![{_LATIN}.+_-])[{_LATIN}.+_-]{{1,64}}{_SPELLED_AT}[{_LATIN}-]{{1,63}}"
    rf"(?:{_SPELLED_DOT}[{_LATIN}-]{{1,63}}){{0,4}}{_SPELLED_DOT}[a-z]{{2,24}}(?![{_LATIN}])"
)


def find_emails(text: str) -> Iterator[Found]:
    """Addresses around each at sign: a local part of at most 64 characters, a dotted domain.

    "[at]" and "(dot)" are read as what they stand for.
    """
    for match in _SPELLED.finditer(text):
        yield Found("email", *match.span(), 0.8, False)
    done = 0
    at = text.find("@")
    while at >= 0:
        left = max(done, at - _LONGEST_LOCAL)
        local = _LOCAL_END.search(text[left:at])
        domain = _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None:
            start = left + local.start()
            start += len(local[0]) - len(local[0].lstrip(".'`*{|/=?&#"))
            if start < at:
                done = domain.end()
                yield Found("email", start, done, 0.95, False)
        at = text.find("@", at + 1)


def find_urls(text: str) -> Iterator[Found]:
    """Links with a scheme, or that begin with ``www.``; what ends the sentence is left out."""
    for match in _URL.finditer(text):
        start, end = match.span()
        unopened = match[0].count(")") - match[0].count("(")
        while text[end - 1] in _URL_TAIL or (text[end - 1] == ")" and unopened > 0):
            end -= 1
            unopened -= text[end] == ")"
        if "." in text[start:end].split("//")[-1]:
            yield Found("url", start, end, 0.9, False)


def find_ip_addresses(text: str) -> Iterator[Found]:
    """IPv4 and IPv6 addresses; four numbers after "version" are none."""
    for match in _IPV4.finditer(text):
        if _is_address(match[0]) and not _VERSION_CUE.search(
            text, max(0, match.start() - 10), match.start()
        ):
            yield Found("ip_address", *match.span(), 0.9, True)
    for match in _IPV6.finditer(text):
        word = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        groups = [group for group in word.split(":") if group]
        if word.count(":") >= 2 and len(groups) >= 2 and _is_address(word):
            yield Found("ip_address", match.start(), match.start() + len(word), 0.9, True)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True
