"""A model that cannot do its task's examples is not warm."""

from __future__ import annotations

import pytest

from lepton_tasks.nlp.base import Example
from lepton_tasks.nlp.moderation import Moderation
from workers.catalogue.entries import DEFAULT_CATALOGUE, read_catalogue
from workers.engines.loader import load_engine
from workers.engines.warm import warm_up


def test_an_example_that_fails_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Moderation()
    monkeypatch.setattr(task, "examples", (Example("好的"), Example("fine", {"colour": "red"})))
    with pytest.raises(ValueError, match="colour"):
        warm_up(task, load_engine("moderation", read_catalogue(DEFAULT_CATALOGUE), "cpu"))
