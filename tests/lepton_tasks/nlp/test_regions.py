"""Regions of phone numbers are those that the library behind redaction has plans for."""

from __future__ import annotations

import phonenumbers

from lepton_tasks.nlp.regions import REGIONS


def test_the_regions_are_the_librarys() -> None:
    assert set(phonenumbers.SUPPORTED_REGIONS) == REGIONS
    assert {"CN", "HK", "TW", "US", "GB"} <= REGIONS
