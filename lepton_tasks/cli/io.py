"""``lepton io``: it sends webhooks, keeps the queues true to the store, and runs batches."""

from __future__ import annotations

import logging

import typer

from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.io_worker import run_io
from lepton_tasks.settings import load_settings


def io() -> None:
    """Run an io worker: it sends webhooks, runs batches, and repairs what crashes leave.

    Webhooks of finished jobs and batches are signed (Standard Webhooks) and sent
    again on failure for about three days. The same process takes the jobs of dead
    workers back, publishes what Redis has lost and expires what is late. A system
    needs one; with several, each webhook is sent and each batch run by one of them
    at a time: io workers share the folder of files (LEPTON_FILES_FOLDER) with the API,
    and have LEPTON_BATCHES_AT_ONCE in work. Loopback and private addresses get webhooks
    only where LEPTON_WEBHOOK_PRIVATE_NETWORKS names them, such as 10.20.0.0/16.

    SIGTERM or Ctrl-C stops it within seconds; what it could not finish goes on
    when an io worker runs again.

    Example: LEPTON_WEBHOOK_TIMEOUT=10 lepton io
    """
    settings = running_settings(load_settings())
    logging.getLogger().setLevel(settings.log_level)
    run_io(settings, on_ready=lambda: typer.echo("io worker ready"))
