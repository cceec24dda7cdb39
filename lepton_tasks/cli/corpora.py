"""``lepton corpora``: collections of documents that tasks search."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lepton_tasks.bulk.lines import BOM
from lepton_tasks.bulk.physical import InputFile, Unreadable
from lepton_tasks.cli.opened import opened_store
from lepton_tasks.corpora import CorpusLimits, NewDocument, Pages, check_name, read_document
from lepton_tasks.errors import InvalidInput
from lepton_tasks.settings import load_settings
from lepton_tasks.store.corpora import Corpus
from lepton_tasks.store.documents import Added
from lepton_tasks.store.store import Store
from lepton_tasks.times import show_time

app = typer.Typer(help="Collections of documents that tasks search.", no_args_is_help=True)

_PAGE: Final = 100

TenantOption = Annotated[str, typer.Option(help="Whose corpus it is.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameArgument = Annotated[str, typer.Argument(help="Name or id of the corpus.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes, underscores.")],
    tenant: TenantOption = "default",
) -> None:
    """Make an empty corpus and print its id."""
    check_name(name, "NAME")
    with opened_store() as store:
        typer.echo(store.corpora.create(tenant, name).id)


@app.command()
def add(
    corpus: NameArgument,
    file: Annotated[Path, typer.Argument(help="Documents as JSON Lines, also .jsonl.gz.")],
    tenant: TenantOption = "default",
) -> None:
    """Add the documents of FILE to a corpus; they replace those that have their ids.

    A line is a string, or an object with "text", maybe "id" and "metadata":

        {"id": "leave-3", "text": "Holidays are asked for in advance.", "metadata": {"page": 3}}

    FILE is read and stored piece by piece, so it may be of any size. A wrong line ends it
    with its number; what was stored before stays, and adding the same file again changes
    nothing of that, if its documents have ids.

    Exit codes: 0 done; 1 the database cannot be used; 2 wrong input.

    For example:

        lepton corpora create handbook

        lepton corpora add handbook handbook.jsonl
    """
    limits = CorpusLimits.of(load_settings())
    with opened_store() as store, closing(InputFile(file)) as source:
        found = store.corpora.get(tenant, corpus)
        done = _add(store, found, source, limits)
    if not done:
        raise InvalidInput(f"{file} has no documents", "FILE")
    typer.echo(
        f"{sum(one.added for one in done):,} added, "
        f"{sum(one.replaced for one in done):,} replaced, "
        f"{sum(one.unchanged for one in done):,} unchanged"
    )


@app.command("list")
def list_corpora(tenant: TenantOption = "default", as_json: JsonOption = False) -> None:
    """List corpora, newest first."""
    found: list[Corpus] = []
    with opened_store() as store:
        while page := store.corpora.page(
            tenant, after=found[-1].id if found else None, limit=_PAGE
        ):
            found += page
    if as_json:
        typer.echo(_json([_shown(one) for one in found]))
        return
    for one in found:
        columns = [one.name, one.id, f"{one.documents:,} documents", show_time(one.updated_at)]
        typer.echo("\t".join(columns))
    if not found:
        typer.echo("There are no corpora; `lepton corpora create` makes one.", err=True)


@app.command()
def show(
    corpus: NameArgument,
    document: Annotated[str | None, typer.Argument(help="Id of a document in it.")] = None,
    tenant: TenantOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Show a corpus, or one of its documents."""
    with opened_store() as store:
        if document is None:
            found = store.corpora.get(tenant, corpus)
            typer.echo(_json(_shown(found)) if as_json else _described(found))
            return
        one = store.documents.get(tenant, corpus, document)
    typer.echo(_json(asdict(one)) if as_json else one.text)


@app.command()
def delete(
    corpus: NameArgument,
    document: Annotated[
        str | None, typer.Argument(help="Id of a document; the whole corpus when left out.")
    ] = None,
    tenant: TenantOption = "default",
) -> None:
    """Erase a corpus, or one of its documents: the text and all that was made of it."""
    with opened_store() as store:
        if document is None:
            store.corpora.delete(tenant, corpus)
        else:
            store.documents.delete(tenant, corpus, document)
    typer.echo(f"deleted {document or corpus}", err=True)


def _add(store: Store, corpus: Corpus, source: InputFile, limits: CorpusLimits) -> list[Added]:
    done: list[Added] = []
    count = number = 0
    pages = Pages()
    with _bar() as bar:
        row = bar.add_task("0 documents", total=source.size)

        def put(page: list[NewDocument]) -> None:
            nonlocal count
            done.append(store.documents.put(corpus.tenant, corpus.id, page, limits))
            count += len(page)
            bar.update(row, completed=source.position, description=f"{count:,} documents")

        try:
            for number, raw in enumerate(source.lines(), 1):
                if raw is not None and (raw.isspace() or raw == BOM):
                    continue
                if full := pages.add(_document(raw, number, limits)):
                    put(full)
            if rest := pages.rest():
                put(rest)
        except Unreadable as error:
            raise InvalidInput(
                f"line {number + 1}: {error} ({count:,} documents before were stored)", "FILE"
            ) from error
        except InvalidInput as error:
            raise InvalidInput(
                f"{error} ({count:,} documents before were stored)", error.param, error.code
            ) from error
    return done


def _document(raw: bytes | None, number: int, limits: CorpusLimits) -> NewDocument:
    place = f"line {number}"
    if raw is None:
        raise InvalidInput(f"{place} is longer than 1 MiB", place, "line_too_long")
    try:
        value = orjson.loads(raw.removeprefix(BOM) if number == 1 else raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{place} is not valid JSON: {error}", place, "invalid_json") from error
    return read_document(value, limits, place)


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        disable=not console.is_terminal,
    )


def _shown(corpus: Corpus) -> dict[str, Any]:
    return {name: value for name, value in asdict(corpus).items() if name != "tenant"}


def _described(corpus: Corpus) -> str:
    return (
        f"{corpus.name}  {corpus.id}\n"
        f"documents   {corpus.documents:,}\ncharacters  {corpus.characters:,}\n"
        f"version     {corpus.version}\nchanged     {show_time(corpus.updated_at)}"
    )


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
