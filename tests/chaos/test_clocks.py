"""A worker whose clock is an hour ahead takes nobody's lease, and loses none."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.clocks import shifted, wrong_clock
from tests.support.postgres import TestPostgres


def test_an_hour_wrong_costs_no_lease(postgres: TestPostgres, tmp_path: Path) -> None:
    wrong = shifted(3600.0)
    url = postgres.fresh_database()
    verdict, premature = wrong_clock(url, tmp_path, 100, wrong, lease=60.0, seconds=2.0)
    assert premature == 0
    assert verdict.faults() == {}
    assert verdict.states.keys() == {"succeeded"}
    assert verdict.re_executed == 0
