"""``lepton batch list``, ``show``, ``cancel``: batches as the store knows them, of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

import orjson
import typer

from lepton_tasks.settings import load_settings
from lepton_tasks.store.batches import Batch
from lepton_tasks.store.store import Store, open_store
from lepton_tasks.times import show_time

_PAGE: Final = 100
_FAULTS_SHOWN: Final = 10

BatchArgument = Annotated[
    str, typer.Argument(help="Id that `lepton batch run` or POST /v1/batches answered with.")
]
TenantOption = Annotated[
    str | None, typer.Option(help="Whose batch it is; by default LEPTON_DEFAULT_TENANT.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_batches(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _PAGE,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List batches, newest first: id, what each line asks, state, lines done, time of making."""
    found: list[Batch] = []
    with _opened(tenant) as (store, owner):
        while (left := limit - len(found)) and (
            page := store.batches.page(
                owner, after=found[-1].id if found else None, limit=min(_PAGE, left)
            )
        ):
            found += page
    if as_json:
        typer.echo(_json([_shown(batch) for batch in found]))
        return
    for batch in found:
        total, completed, failed = batch.lines
        columns = [batch.id, _asks(batch), str(batch.state)]
        columns.append(f"{completed + failed:,} of {total:,}" if total else f"{completed + failed}")
        typer.echo("\t".join([*columns, show_time(batch.created_at)]))
    if not found:
        typer.echo("There are no batches; `lepton batch run` makes one.", err=True)


def show(batch_id: BatchArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Show how far a batch has come, as the store knows it."""
    with _opened(tenant) as (store, owner):
        batch = store.batches.get(owner, batch_id)
    if as_json:
        typer.echo(_json(_shown(batch)))
        return
    total, completed, failed = batch.lines
    lines = [
        ("", f"{batch.id}  {_asks(batch)}  {batch.state}"),
        ("lines", f"{total:,}" if total or batch.sealed else _not_counted(batch)),
        ("done", f"{completed + failed:,}"),
        ("failed", f"{failed:,}"),
    ]
    if batch.expires_at is not None:
        lines.append(("until", show_time(batch.expires_at)))
    for name in ("input", "output", "error"):
        file_id = getattr(batch, f"{name}_file_id")
        if file_id is not None:
            lines.append((name, file_id))
    faults = batch.errors or ()
    for fault in faults[:_FAULTS_SHOWN]:
        where = "" if fault["line"] is None else f"line {fault['line']:,}: "
        lines.append(("wrong", where + fault["message"]))
    if len(faults) > _FAULTS_SHOWN:
        lines.append(("", f"and {len(faults) - _FAULTS_SHOWN} more; --json has them"))
    typer.echo("\n".join(f"{name:<8}{value}" if name else value for name, value in lines))


def cancel(batch_id: BatchArgument, tenant: TenantOption = None) -> None:
    """Cancel a batch: what is queued is not run any more, finished lines are kept.

    A `lepton batch run` of this batch goes to its end: the lines that were not done
    go to its error file as "cancelled". A batch of an uploaded file is cancelling
    until its files are complete.
    """
    with _opened(tenant) as (store, owner):
        store.batches.get(owner, batch_id)
        store.batches.cancel(owner, batch_id)
        state = store.batches.get(owner, batch_id).state
    typer.echo(f"{batch_id} is {state}")


def _asks(batch: Batch) -> str:
    return batch.endpoint or batch.task


def _not_counted(batch: Batch) -> str:
    return "not all in yet" if batch.finished_at is None else "not counted"


def _shown(batch: Batch) -> dict[str, Any]:
    return {name: value for name, value in asdict(batch).items() if name != "tenant"}


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


@contextmanager
def _opened(tenant: str | None) -> Iterator[tuple[Store, str]]:
    settings = load_settings()
    store = open_store(settings)
    try:
        yield store, tenant or settings.default_tenant
    finally:
        store.close()
