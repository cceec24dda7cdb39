"""Webhooks of a few hundred events: all arrive, whoever fails or dies; one that hangs is alone."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.webhooks import at_least_once, one_hangs


def test_every_event_arrives_under_its_one_id(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert at_least_once(url, tmp_path, events=200, kills=2).wrong == {}


def test_a_hanging_endpoint_holds_up_no_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert one_hangs(url, tmp_path, healthy=9, events=5).missing == 0
