"""``lepton quarantine``: messages that no worker could read."""

from __future__ import annotations

from typing import Annotated

import typer

from lepton_tasks.broker.connection import connect
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.settings import load_settings
from lepton_tasks.times import show_time
from lepton_tasks.transport.quarantine import Quarantine, Quarantined

app = typer.Typer(help="Look at messages that no worker could read.", no_args_is_help=True)

_TIMEOUT_SECONDS = 10.0

MessageId = Annotated[str, typer.Argument(help="Id from `lepton quarantine list`.")]


@app.command("list")
def list_messages(
    limit: Annotated[int, typer.Option(min=1, help="Most messages to list.")] = 100,
) -> None:
    """List quarantined messages, newest first: id, time, queue, bytes, reason."""
    shown = 0
    for message in _quarantine().messages():
        if shown == limit:
            typer.echo(f"There are more; raise --limit above {limit} to see them.", err=True)
            return
        typer.echo(_line(message))
        shown += 1
    if not shown:
        typer.echo("The quarantine is empty.", err=True)


@app.command()
def show(
    message_id: MessageId,
    body: Annotated[
        bool, typer.Option("--body", help="Print the message itself; it may hold users' text.")
    ] = False,
) -> None:
    """Show one message: id, time, queue, bytes, reason; its content only with --body."""
    message = _quarantine().get(message_id)
    typer.echo(_line(message))
    if body:
        typer.echo(_printable(message.raw))


@app.command()
def requeue(
    message_ids: Annotated[list[str], typer.Argument(help="Ids from `lepton quarantine list`.")],
) -> None:
    """Put messages back at the end of their queues, as they are.

    One that still cannot be read comes back to the quarantine.
    """
    quarantine = _quarantine()
    for message_id in message_ids:
        message = quarantine.requeue(message_id)
        typer.echo(f"requeued {message.id} to {message.queue}", err=True)


def _quarantine() -> Quarantine:
    settings = running_settings(load_settings())
    return Quarantine(connect(settings.redis_url, _TIMEOUT_SECONDS))


def _line(message: Quarantined) -> str:
    at, size = show_time(message.at), str(len(message.raw))
    columns = [message.id, at, message.queue, size, message.reason]
    return "\t".join(_printable(column.encode()) for column in columns)


def _printable(raw: bytes) -> str:
    # What a producer sent must not steer the operator's terminal.
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )
