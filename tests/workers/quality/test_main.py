"""The runner: every module is found, sections are replaced one by one, data may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.quality import __main__ as runner
from workers.quality.page import sections, with_section
from workers.training.datasets import DataMissing

ROOT = Path(__file__).parents[3]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two tasks, of which the second lacks its data until its file is there."""
    log: list[str] = []

    def first(data: Path) -> str:
        log.append("first")
        return f"## First\n\nrun {len(log)}"

    def second(data: Path) -> str:
        log.append("second")
        if not (data / "rows").exists():
            raise DataMissing("second wants rows")
        return "## Second 二\n\nfine"

    found = {"first": first, "second-one": second}
    monkeypatch.setattr(runner, "find_measures", lambda: found)
    return log


def test_each_task_replaces_its_own_section(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "quality.md"
    out.write_text("# Old title\n\n## Kept\n\nas it was\n\n## First\n\nold\n")
    order = ["--data", str(tmp_path), "--out", str(out)]
    assert runner.main(order) == 2
    assert "second wants rows" in capsys.readouterr().err
    assert list(sections(out.read_text()).items()) == [
        ("## Kept", "## Kept\n\nas it was"),
        ("## First", "## First\n\nrun 1"),
    ]
    (tmp_path / "rows").touch()
    assert runner.main([*order, "--only", "second-one"]) == 0
    assert measured == ["first", "second", "second"]
    assert "## Second 二\n\nfine" in capsys.readouterr().out
    assert list(sections(out.read_text(encoding="utf-8"))) == [
        "## Kept",
        "## First",
        "## Second 二",
    ]


def test_an_unknown_task_is_answered_with_those_there_are(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main(["--data", str(tmp_path), "--only", "third"]) == 2
    assert "what can be measured: first, second-one" in capsys.readouterr().err
    assert measured == []


def test_modules_are_found_and_the_page_has_a_section_of_each() -> None:
    found = runner.find_measures()
    assert "moderation" in found and "scoring" not in found
    page = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")
    assert with_section(page, sections(page)["## Moderation"]) == page


@pytest.mark.parametrize("section", ["no heading", "intro\n\n## One", "## One\n\n## Two", "# One"])
def test_what_is_no_section_is_refused(section: str) -> None:
    with pytest.raises(ValueError, match="its one heading"):
        with_section("", section)
