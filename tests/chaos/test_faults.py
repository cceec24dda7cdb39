"""Faults in the middle of the work, short: nothing is lost, nothing is written twice."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.rig import Setup
from tests.chaos.runs import ordinary_faults, under_faults


def test_no_fault_costs_a_job(database_url: str, tmp_path: Path) -> None:
    faults = ordinary_faults(1, 1.0)
    verdict, _ = under_faults(database_url, tmp_path, faults, 300, setup=Setup(patience=3.0))
    assert verdict.faults() == {}
    assert verdict.states.keys() == {"succeeded"}
    assert verdict.acknowledged >= 300
    assert verdict.recovery
