"""``/v1/batches/{batch_id}/results``: what a batch has so far, page by page or as it comes."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query, Response

from api.answers import errors
from api.auth import Tenant
from api.batch_schemas import BatchId
from api.openai.route import OpenAiRoute
from api.result_events import ResultEvents
from api.services import ServicesDep
from lepton_tasks.files.result_lines import ResultLine, parse_cursor
from lepton_tasks.files.results import ResultFile, ResultPage

MAX_PAGE: Final = 1_000

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A page, or server-sent events where `Accept` asks for them.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["object", "data", "last_id", "has_more", "next", "status"],
                    "properties": {
                        "object": {"const": "list"},
                        "data": {"type": "array", "items": {"type": "object"}},
                        "first_id": {"type": ["string", "null"]},
                        "last_id": {"type": ["string", "null"]},
                        "has_more": {"type": "boolean"},
                        "next": {"type": "string"},
                        "status": {"type": "string"},
                    },
                }
            },
            "text/event-stream": {"schema": {"type": "string"}},
        },
    },
    **errors(410),
}

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=OpenAiRoute)


@router.get("/{batch_id}/results", response_class=Response, responses=_RESPONSES | errors(410))
async def read_results(
    batch_id: BatchId,
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    file: ResultFile = ResultFile.OUTPUT,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Read lines of the output file, or with `file=errors` of the error file, while it is written.

    Each has its `cursor`; `after` goes on behind it, `next` behind the page. All pages together
    are the finished file. `status` is the batch's, read before the lines: once it has ended
    and `has_more` is false, that was all.

    `Accept: text/event-stream` sends the lines as they come, with their cursors as ids, and
    the event `done` behind the last. `Last-Event-ID` resumes.
    """
    streams = "text/event-stream" in accept.lower()
    param = "after"
    if streams and last_event_id:
        after, param = last_event_id, "Last-Event-ID"
    cursor = parse_cursor(after, param)

    async def read(behind: int) -> ResultPage:
        page = services.results.page
        return await services.disk.run(page, tenant, batch_id, file, behind, limit, param)

    page = await read(cursor)
    if streams:
        return ResultEvents(batch_id, page, read, services.watching)
    return Response(_shown(page), media_type="application/json")


def _shown(page: ResultPage) -> bytes:
    """A page as JSON, without reading its lines: each gets its cursor as its last field."""
    lines = b",".join(map(_with_cursor, page.lines))
    rest = {
        "first_id": str(page.lines[0].cursor) if page.lines else None,
        "last_id": str(page.lines[-1].cursor) if page.lines else None,
        "has_more": page.has_more,
        "next": str(page.cursor),
        "status": page.state,
    }
    return b'{"object":"list","data":[' + lines + b"]," + orjson.dumps(rest)[1:]


def _with_cursor(line: ResultLine) -> bytes:
    r"""A line that is a JSON object with fields, and its cursor.

    >>> _with_cursor(ResultLine(b'{"id":"a"}', 11))
    b'{"id":"a","cursor":"11"}'
    """
    return line.data[:-1] + b',"cursor":"%d"}' % line.cursor
