"""Documents that come as JSON Lines: read and stored page by page, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.body import chunks
from api.services import Services
from lepton_tasks.corpora import CorpusLimits, NewDocument, Pages, read_document
from lepton_tasks.errors import InvalidInput
from lepton_tasks.store.documents import Added

MEDIA_TYPES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
MOST_LINE_BYTES: Final = 1 << 20


def is_stream(request: Request) -> bool:
    """Whether a body says that it is JSON Lines."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in MEDIA_TYPES


async def put_stream(request: Request, tenant: str, corpus: str, services: Services) -> Added:
    """Store the documents of a body; returns what became of them all, without their ids.

    Raises:
        InvalidInput: a line is wrong; the message has its number, from 1, and says how many
            documents before it were stored.
        NotFound: the tenant has no such corpus.
    """
    limits = CorpusLimits.of(services.settings)
    put = services.store.documents.put
    pages = Pages()
    done = Added(0, (), 0, 0, 0)
    count = 0

    async def store(page: list[NewDocument]) -> None:
        nonlocal count, done
        done = done.plus(await run_in_threadpool(put, tenant, corpus, page, limits))
        count += len(page)

    number = 0
    try:
        async for number, line in _lines(request):
            if not line.strip():
                continue
            if full := pages.add(read_document(_parse(line, number), limits, f"line {number}")):
                await store(full)
        if rest := pages.rest():
            await store(rest)
    except InvalidInput as error:
        message = f"{error} ({count:,} documents before were stored)"
        raise InvalidInput(message, error.param, error.code) from error
    if not count:
        raise InvalidInput("the body has no documents", "documents", "empty_documents")
    return done


def _parse(line: bytes, number: int) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"line {number} is not valid JSON: {error}", f"line {number}", "invalid_json"
        ) from error


async def _lines(request: Request) -> AsyncIterator[tuple[int, bytes]]:
    """Yield lines with their numbers, from 1; none is held that is longer than may be."""
    number = 1
    kept = bytearray()
    async for chunk in chunks(request):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield number, bytes(kept + part)
            kept.clear()
            number += 1
        kept += rest
        if len(kept) > MOST_LINE_BYTES:
            raise InvalidInput(
                f"line {number} is longer than {MOST_LINE_BYTES >> 20} MiB",
                f"line {number}",
                "line_too_long",
            )
    if kept:
        yield number, bytes(kept)
