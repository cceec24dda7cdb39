"""``lepton dead``: jobs that ended their workers until they were given up."""

from __future__ import annotations

import getpass
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from lepton_tasks.cli.opened import opened_store
from lepton_tasks.errors import Conflict, InvalidInput, NotFound
from lepton_tasks.store.dead_letters import DeadLetter, DeadLetterStore
from lepton_tasks.times import show_time

app = typer.Typer(
    help="""Look at dead jobs, and put them back.

    A job that was in work when a worker process died is run alone from then on, one
    input at a time. An input that ends its worker three times alone is given up; a job
    all of whose inputs are given up is dead. What killed the worker is in its log and
    in the kernel's (`dmesg`, for memory). Once that is mended, redrive the jobs.""",
    no_args_is_help=True,
)

_FAILED = 1
_PAGE = 200

TaskOption = Annotated[str | None, typer.Option(help="Only jobs of this task.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one job a line.")]


@app.command("list")
def list_letters(
    task: TaskOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List dead jobs, the longest dead first, without their texts.

    Columns: id, time of death, task, priority, tenant, inputs, crashes, workers.

    Example: lepton dead list --task moderation
    """
    shown = 0
    with _letters() as letters:
        for letter in _pages(letters, task, limit + 1):
            if shown == limit:
                typer.echo(f"There are more; raise --limit above {limit} to see them.", err=True)
                return
            typer.echo(_json(letter) if as_json else _line(letter))
            shown += 1
    if not shown:
        typer.echo("There are no dead jobs.", err=True)


@app.command()
def show(
    job_id: Annotated[str, typer.Argument(help="Id from `lepton dead list`.")],
    as_json: JsonOption = False,
) -> None:
    """Show why one job is dead: which inputs, how often, on which workers; earlier redrives.

    Example: lepton dead show job_0rxd7hjrazvhw890dqn0ksbpp3
    """
    with _letters() as letters:
        letter = letters.get(job_id)
    typer.echo(_json(letter) if as_json else _page(letter))


@app.command()
def redrive(
    job_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids from `lepton dead list`.", show_default=False)
    ] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every dead job.")] = False,
    task: TaskOption = None,
) -> None:
    """Put dead jobs back into their queues, as if they had never crashed.

    Name them, or say --all, with --task for one task's. Who did it and when is kept with
    each job. Lines of a bulk file that is complete stay dead: send them again. Exits with
    1 where a job could not be redriven.

    Examples:
        lepton dead redrive job_0rxd7hjrazvhw890dqn0ksbpp3

        lepton dead redrive --all --task moderation
    """
    if bool(job_ids) == all_of_them:
        raise InvalidInput("name the jobs to redrive, or give --all", "--all")
    if task is not None and not all_of_them:
        raise InvalidInput("--task goes with --all", "--task")
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    with _letters() as letters:
        refused = _redrive_all(letters, task, by) if all_of_them else _redrive(letters, job_ids, by)
    if refused:
        raise typer.Exit(_FAILED)


def _redrive(letters: DeadLetterStore, job_ids: list[str] | None, by: str) -> int:
    refused = 0
    for job_id in job_ids or []:
        try:
            letters.redrive(job_id, by)
        except (NotFound, Conflict) as error:
            typer.secho(f"error: {error}", fg="red", err=True)
            refused += 1
        else:
            typer.echo(f"redriven: {job_id}", err=True)
    return refused


def _redrive_all(letters: DeadLetterStore, task: str | None, by: str) -> int:
    counts = letters.counts()
    total = sum(counts.values()) if task is None else counts.get(task, 0)
    redriven = refused = 0
    after: DeadLetter | None = None
    with typer.progressbar(length=total, label="redriving", file=sys.stderr) as bar:
        while page := letters.page(task, after, _PAGE):
            done = len(letters.redrive_page(page, by))
            redriven += done
            refused += len(page) - done
            after = page[-1]
            bar.update(len(page))
    typer.echo(f"redriven: {redriven:,} jobs", err=True)
    if refused:
        typer.echo(
            f"{refused:,} jobs stay dead: their bulk files are complete or still being read, or "
            "their conversations go on without them or have expired",
            err=True,
        )
    return refused


def _pages(letters: DeadLetterStore, task: str | None, most: int) -> Iterator[DeadLetter]:
    after: DeadLetter | None = None
    while most > 0 and (page := letters.page(task, after, min(most, _PAGE))):
        yield from page
        most -= len(page)
        after = page[-1]


@contextmanager
def _letters() -> Iterator[DeadLetterStore]:
    with opened_store() as store:
        yield store.dead_letters


def _line(letter: DeadLetter) -> str:
    columns = [
        letter.id,
        show_time(letter.died_at),
        letter.task,
        letter.priority,
        letter.tenant,
        str(letter.items),
        str(letter.crashes.total),
        ",".join(letter.crashes.workers),
    ]
    return "\t".join(columns)


def _page(letter: DeadLetter) -> str:
    lines = {
        "id": letter.id,
        "task": f"{letter.task}.{letter.priority}",
        "tenant": letter.tenant,
        "batch": letter.batch_id or "-",
        "created": show_time(letter.created_at),
        "died": show_time(letter.died_at),
        "reason": letter.reason,
        "inputs": str(letter.items),
        "crashes": _crashes(letter),
        "workers": ", ".join(letter.crashes.workers),
        "redriven": "; ".join(
            f"{show_time(one.at)} by {one.by} after {one.crashes} crashes"
            for one in letter.redrives
        )
        or "never",
    }
    return "\n".join(f"{name:<9} {value}" for name, value in lines.items())


def _crashes(letter: DeadLetter) -> str:
    parts = [f"input {place}: {count}" for place, count in sorted(letter.crashes.places.items())]
    if letter.crashes.unplaced:
        parts.append(f"input unknown, nobody watched: {letter.crashes.unplaced}")
    return ", ".join(parts)


def _json(letter: DeadLetter) -> str:
    fields = asdict(letter)
    fields["crashes"] = orjson.Fragment(letter.crashes.dump())
    return orjson.dumps(fields).decode()
