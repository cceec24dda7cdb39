"""The page says everything that was measured, misses and failures included."""

from __future__ import annotations

import re

from tests.benchmarks.document import Document, Result
from tests.benchmarks.figures import Figures
from tests.benchmarks.page import render
from tests.benchmarks.sections import queue
from tests.benchmarks.sections.registry import SECTIONS

MACHINE = {
    "date": "2026-01-02 03:04 UTC",
    "commit": "0123456789ab",
    "changed": True,
    "cpu": "A Processor",
    "cores": 2,
    "memory_gib": 24,
    "load": 0.1,
    "system": "Linux 6",
    "python": "3.11.7",
    "redis": "6.2.14",
    "filesystem": "ext4",
    "packages": {"celery": "5.7.0"},
    "peers": {},
}


def measured() -> Document:
    figures = Figures()
    for rate in (2_000.0, 2_400.0, 2_200.0):
        figures.add(queue.OURS, {"rate": rate, "cpu": 0.2})
        figures.add("Celery, solo", {"rate": 600.0, "cpu": 1.5})
    figures.fail("huey, 8 threads", "exit code 1: a | b")
    section = SECTIONS["queue"]
    result = Result(figures, section.judge(figures), MACHINE, False, True, 9.0)
    return Document({"queue": result})


def test_figures_are_medians_with_their_range() -> None:
    page = render(measured())
    assert "| ours, SQLite | 2,200 (2,000–2,400) | 0.200 (0.200–0.200) |" in page
    assert "| huey, 8 threads | failed: exit code 1: a \\| b |" in page


def test_a_miss_is_shown_and_a_target_that_was_not_measured_too() -> None:
    page = render(measured())
    assert "| 2 | no-op jobs/s with durable results | 2,200 | 3,000 | 0.733 | **missed** |" in page
    shown = set(re.findall(r"^\| (\d) \|.*\*\*(met|missed|not measured)\*\*", page, re.MULTILINE))
    assert {target for target, _ in shown} == set("12345678")
    assert ("1", "not measured") in shown


def test_the_machine_is_named() -> None:
    page = render(measured())
    assert "2 cores of A Processor, 24 GiB" in page
    assert "commit `0123456789ab`, with uncommitted changes" in page
    assert "peers: not installed" in page


def test_a_page_without_figures_still_says_how_to_make_them() -> None:
    assert "`make bench`" in render(Document())


def test_an_interrupted_section_says_so() -> None:
    document = measured()
    held = document.results["queue"]
    document.results["queue"] = Result(
        held.figures, held.verdicts, held.machine, True, False, held.seconds
    )
    page = render(document)
    assert "This run was interrupted" in page
    assert "a first impression.*" in page
