"""The raw outcome on disk: merged section by section."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.document import Document, Result, read, write
from tests.benchmarks.figures import Figures
from tests.benchmarks.verdicts import at_least


def result(rate: float | None, complete: bool = True) -> Result:
    figures = Figures()
    if rate is not None:
        figures.add("ours", {"rate": rate})
    figures.fail("other", "not installed")
    figures.note("A note.")
    verdicts = [at_least("2", "jobs/s", rate, 3_000.0)]
    return Result(figures, verdicts, {"commit": "abc"}, False, complete, 1.5)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    document = Document({"queue": result(12.0)})
    write(tmp_path / "docs", document)
    assert read(tmp_path / "docs") == document
    assert [file.name for file in (tmp_path / "docs").iterdir()] == ["benchmarks.json"]


def test_nothing_is_there_before_the_first_run(tmp_path: Path) -> None:
    assert read(tmp_path) == Document()


def test_a_later_run_replaces_its_sections_alone() -> None:
    document = Document({"queue": result(1.0), "model": result(2.0)})
    assert document.put("queue", result(3.0))
    assert document.results["queue"].figures.median("ours", "rate") == 3.0
    assert document.results["model"].figures.median("ours", "rate") == 2.0


def test_an_interrupted_section_never_displaces_a_whole_one() -> None:
    document = Document({"queue": result(1.0)})
    assert not document.put("queue", result(9.0, complete=False))
    assert document.put("model", result(9.0, complete=False))
    assert not document.put("model", result(None, complete=False))
    assert document.put("model", result(8.0))
