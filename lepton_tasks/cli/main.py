"""The ``lepton`` command: its parts, and how an error ends it."""

from __future__ import annotations

import sys

import typer
from typer.main import get_command

from lepton_tasks import __version__
from lepton_tasks.cli import (
    batch,
    corpora,
    db,
    dead,
    jobs,
    keys,
    models,
    quarantine,
    services,
    webhooks,
)
from lepton_tasks.cli.help_texts import reflow_all
from lepton_tasks.cli.io import io
from lepton_tasks.cli.run import run
from lepton_tasks.cli.train import train
from lepton_tasks.cli.tune import tune
from lepton_tasks.errors import ConfigError, InvalidInput, LeptonError
from lepton_tasks.logs import set_up_logging

USAGE_ERROR = 2
FAILURE = 1
INTERRUPTED = 130


def make_cli() -> typer.Typer:
    """Put the command together."""
    cli = typer.Typer(
        name="lepton",
        help="Asynchronous NLP on Celery and Redis. Begin with `lepton up`.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_options)
    cli.command()(services.up)
    cli.command()(services.worker)
    cli.command()(services.api)
    cli.command()(io)
    cli.command()(run)
    cli.command()(tune)
    cli.command()(train)
    cli.add_typer(batch.app, name="batch")
    cli.add_typer(corpora.app, name="corpora")
    cli.add_typer(jobs.app, name="jobs")
    cli.add_typer(models.app, name="models", no_args_is_help=True)
    cli.add_typer(keys.app, name="keys")
    cli.add_typer(db.app, name="db")
    cli.add_typer(dead.app, name="dead")
    cli.add_typer(quarantine.app, name="quarantine")
    cli.add_typer(webhooks.app, name="webhooks")
    return cli


def _options(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and stop.",
        is_eager=True,  # it needs no command beside it
        callback=lambda wanted: _print_version() if wanted else None,
    ),
) -> None:
    """Take what stands before the command."""


def _print_version() -> None:
    typer.echo(__version__)
    raise typer.Exit


def main() -> None:
    """Run the command; an error of ours becomes one line and an exit code.

    Exit codes: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.
    """
    set_up_logging()
    try:
        command = get_command(make_cli())
        reflow_all(command)
        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except LeptonError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(USAGE_ERROR if isinstance(error, InvalidInput | ConfigError) else FAILURE)
