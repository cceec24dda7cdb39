"""What the command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.options import QUICK_OUT, parse
from tests.benchmarks.sections.registry import SECTIONS
from tests.benchmarks.sizes import FULL, QUICK


def test_everything_in_full_by_default() -> None:
    options = parse([])
    assert list(options.sections) == list(SECTIONS)
    assert (options.sizes, options.out, options.quick) == (FULL, Path("docs"), False)


def test_quick_figures_do_not_go_into_the_manual() -> None:
    options = parse(["--quick", "--rounds", "2"])
    assert (options.out, options.quick, options.sizes.rounds) == (QUICK_OUT, True, 2)
    assert options.sizes.texts == QUICK.texts


def test_sections_keep_the_order_of_the_page() -> None:
    assert parse(["--only", "memory", "queue"]).sections == ["queue", "memory"]


def test_a_scaled_run_counts_as_quick() -> None:
    options = parse(["--scale", "0.1"])
    assert (options.quick, options.sizes.backlog) == (True, FULL.backlog // 10)


@pytest.mark.parametrize(
    "wrong", [["--only", "nothing"], ["--rounds", "0"], ["--scale", "2"], ["--what"]]
)
def test_wrong_usage_is_said(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(wrong)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_help_names_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown and one.summary in shown for name, one in SECTIONS.items())
