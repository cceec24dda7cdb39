"""Help is wrapped where the terminal ends, not where the source does."""

from __future__ import annotations

import typer
from typer.main import get_command

from lepton_tasks.cli.help_texts import reflow_all


def test_commands_at_any_depth_are_reflowed_and_examples_are_not() -> None:
    outer, inner = typer.Typer(), typer.Typer()

    @inner.command()
    def one() -> None:
        """First.

        It does something that takes
        two lines to be told.

            lepton inner one
            lepton inner two
        """

    @inner.command()
    def two() -> None:
        """Second."""

    outer.add_typer(inner, name="inner")
    command = get_command(outer)
    reflow_all(command)
    group = command.commands["inner"]  # type: ignore[attr-defined]
    assert group.commands["one"].help == (
        "First.\n\nIt does something that takes two lines to be told.\n\n"
        "    lepton inner one\n    lepton inner two"
    )
    assert group.commands["two"].help == "Second."


def test_what_has_no_help_is_left_alone() -> None:
    silent = typer.Typer()

    @silent.command()
    def one() -> None:
        pass

    reflow_all(get_command(silent))
