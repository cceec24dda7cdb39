"""Faults in the middle of the work, short: nothing is lost, nothing is written twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rig import Setup
from tests.chaos.runs import few_faults, rolling_restarts, under_faults
from tests.support.postgres import TestPostgres


@pytest.fixture
def own_postgres() -> Iterator[TestPostgres]:
    """A server that nobody else needs, so that it may be restarted."""
    server = TestPostgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, TestPostgres | None]:
    """URL of an empty database, and its server where it has one."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}", None
    server: TestPostgres = request.getfixturevalue("own_postgres")
    return server.fresh_database(), server


def test_no_fault_costs_a_job(mortal: tuple[str, TestPostgres | None], tmp_path: Path) -> None:
    url, postgres = mortal
    plan = few_faults("sqlite" if postgres is None else "postgresql")
    setup = Setup(patience=3.0, proxied=True)
    result = under_faults(url, tmp_path, plan, 300, setup=setup, postgres=postgres)
    assert result.verdict.faults() == {}
    assert result.verdict.states.keys() == {"succeeded"}
    assert result.verdict.acknowledged >= 300
    assert "worker SIGKILL" in result.verdict.recovery


def test_rolling_restarts_count_no_crash(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    # The lease outlives the test: what comes back, was given back.
    setup = Setup(slots=1, lease=600.0)
    result = under_faults(url, tmp_path, rolling_restarts(1), 200, setup=setup)
    assert result.verdict.faults() == {}
    assert result.verdict.states.keys() == {"succeeded"}
    assert result.crashes == 0
