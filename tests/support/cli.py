"""Commands run within the test's own process."""

from __future__ import annotations

import typer
from typer.testing import CliRunner, Result

from lepton_tasks.errors import LeptonError


def run_command(app: typer.Typer, *arguments: str) -> Result:
    """Run a command; an error that ``lepton`` would tell its user is raised."""
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, LeptonError):
        raise result.exception
    return result
