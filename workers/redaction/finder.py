"""All rules over one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from lepton_tasks.nlp.masking import Found
from workers.redaction.cued import find_cued, find_plates
from workers.redaction.network import find_emails, find_ip_addresses, find_urls
from workers.redaction.numbers import find_cards, find_cn_ids, find_ibans, find_ssns
from workers.redaction.phones import find_phones
from workers.redaction.view import view_of

RULES_VERSION: Final = "1"
"""Raised whenever a rule changes what is found."""
_RULES: Final = (
    find_emails,
    find_urls,
    find_ip_addresses,
    find_cards,
    find_cn_ids,
    find_ibans,
    find_ssns,
    find_plates,
    find_cued,
)


def find_personal_data(text: str, regions: Sequence[str]) -> list[Found]:
    """Return candidates of every type, overlapping ones included, in characters of ``text``.

    ``regions`` are ISO 3166 codes of countries whose national phone numbers are read. Time
    grows linearly with the text: every pattern is bounded in what it may try at one place.

    >>> find_personal_data("１３８-1234-5678", [])
    [Found(type='phone', start=0, end=13, score=0.9, validated=True)]
    """
    view = view_of(text)

    def candidates() -> Iterator[Found]:
        for rule in _RULES:
            yield from rule(view.text)
        yield from find_phones(view.text, regions)

    found = []
    for one in candidates():
        start, end = view.original(one.start, one.end)
        found.append(replace(one, start=start, end=end))
    return found
