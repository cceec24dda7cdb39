from __future__ import annotations

import pytest
from sqlalchemy.exc import ProgrammingError

from lepton_tasks.errors import StoreUnavailable
from lepton_tasks.outage import Outage


def test_a_row_of_failures_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("loop")
    for _ in range(3):
        outage.failed(StoreUnavailable("the database is away"))
    outage.over()
    outage.over()
    assert [record.getMessage() for record in caplog.records] == [
        "loop: the database is away; trying again",
        "loop: working again",
    ]


def test_parameters_of_statements_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    Outage("loop").failed(ProgrammingError("INSERT …", {"payload": "机密"}, Exception("no table")))
    assert "ProgrammingError" in caplog.text
    assert "机密" not in caplog.text
