"""``lepton jobs``: one job by its id, looked at, followed, cancelled."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer
from rich.console import Console

from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.following import describe, follow, shown_on
from lepton_tasks.jobs import Job
from lepton_tasks.producer import Producer
from lepton_tasks.readable import readable
from lepton_tasks.settings import load_settings
from lepton_tasks.states import JobState

app = typer.Typer(help="Look at a job, follow it, cancel it.", no_args_is_help=True)

_FAILED = 1
_INTERRUPTED = 130

JobId = Annotated[str, typer.Argument(help="Id of a job, job_….")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show(job_id: JobId, as_json: JsonOption = False) -> None:
    """Show how a job stands, and what came of it."""
    with Producer(running_settings(load_settings())) as producer:
        report(producer.get(job_id), as_json)


@app.command("follow")
def follow_job(job_id: JobId, as_json: JsonOption = False) -> None:
    """Follow a job until it ends. Ctrl-C leaves it running.

    Exit codes: 0 it succeeded; 1 it did not; 130 interrupted.
    """
    with Producer(running_settings(load_settings())) as producer:
        follow_to_end(producer, job_id, as_json)


@app.command("cancel")
def cancel(job_id: JobId) -> None:
    """Cancel a job: at once while it waits, within seconds or at its end while it runs."""
    with Producer(running_settings(load_settings())) as producer:
        job = producer.cancel(job_id)
    asked = job.state is JobState.RUNNING
    typer.echo(f"{job_id} {'is asked to end' if asked else f'is {job.state}'}")


def follow_to_end(producer: Producer, job_id: str, as_json: bool) -> None:
    """Follow a job and report it; ends the command with an exit code where it did not succeed."""
    console = Console(stderr=True)
    try:
        with shown_on(console, _say) as shown:
            job = follow(producer, job_id, shown)
    except KeyboardInterrupt:
        _say(
            f"the job goes on. Follow it with:\n  lepton jobs follow {job_id}\n"
            f"or cancel it with:\n  lepton jobs cancel {job_id}"
        )
        raise typer.Exit(_INTERRUPTED) from None
    report(job, as_json)
    if job.state is not JobState.SUCCEEDED:
        raise typer.Exit(_FAILED)


def report(job: Job, as_json: bool) -> None:
    """Print a job."""
    shown = {
        "id": job.id,
        "task": job.task,
        "state": job.state,
        "progress": job.progress,
        "output": job.output(),
        "error": job.error,
    }
    if as_json:
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"{job.id}  {job.task}  {describe(job)}")
    if job.error is not None:
        typer.echo(f"{job.error['code']}: {job.error['message']}")
    if job.state is JobState.SUCCEEDED:
        typer.echo(readable(job.output()))


def _say(line: str) -> None:
    typer.echo(line, err=True)
