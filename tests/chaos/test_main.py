"""``make chaos`` in its smallest form: an API that dies, and the report of it."""

from __future__ import annotations

import logging
from pathlib import Path

from tests.chaos.__main__ import main
from tests.chaos.findings import Finding
from tests.chaos.page import read, write


def test_a_section_is_run_and_merged_into_the_report(tmp_path: Path) -> None:
    kept = Finding("G1", "an earlier run", "postgresql", "7 jobs", {"lost": 3})
    names = ("date", "commit", "changed", "cpu", "cores", "memory_gib", "system", "python", "redis")
    facts = {"faults/postgresql": {**dict.fromkeys(names, "then"), "load": 17.0}}
    write(tmp_path / "reliability.json", facts, {"faults/postgresql": [kept]})
    wanted = ["--quick", "--db", "sqlite", "--only", "api", "--out", str(tmp_path)]
    assert main(wanted) == 0
    _, results = read(tmp_path / "reliability.json")
    assert results["faults/postgresql"] == [kept]
    [found] = results["api/sqlite"]
    assert found.held
    assert found.figures == {"posts without an answer": "1"}
    page = (tmp_path / "reliability.md").read_text()
    assert "1 of 2 runs showed what they should." in page
    assert "**no**: 3 lost" in page
    assert "No outcome here yet: faults/sqlite, takeover/sqlite" in page
    assert "Redis then; load average up to 17.0" in page
    assert logging.root.manager.disable == logging.NOTSET
