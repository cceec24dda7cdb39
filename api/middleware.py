"""Around every request: an id, a log line without content, an answer to what nobody caught."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import error_response
from lepton_tasks.ids import new_id

STALL_SECONDS: Final = 60.0
"""For how long a client may take nothing of an answer before it counts as gone."""

logger = logging.getLogger(__name__)
access = logging.getLogger("api.access")


class RequestContext:
    """Gives each request an ``x-request-id``, logs it, and turns a crash into a 500.

    A client that reads no further ends its request, as one that hangs up: whoever writes to
    it gets a ClientDisconnect.

    The log names the route and never the path, the query or an exception's text:
    all three may hold what a user wrote.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_id("req")
        status = 0
        begun = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        try:
            if _holds_nul(scope):
                refusal = error_response(400, "invalid_url", "the URL must not hold a NUL")
                await refusal(scope, receive, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = 499  # nginx's number for it; nobody is left to answer
        except Exception as error:  # noqa: BLE001 - the last resort of the process
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s in %s\n%s", type(error).__name__, request_id, frames.rstrip())
            if status == 0:
                crash = error_response(500, "internal_error", "something went wrong on our side")
                await crash(scope, receive, send_with_id)
        finally:
            milliseconds = (time.perf_counter() - begun) * 1000
            access.info(
                "%s %s %d %.1f ms %s",
                scope["method"],
                _route_of(scope),
                status,
                milliseconds,
                request_id,
            )


def _holds_nul(scope: Scope) -> bool:
    # No column of the store takes one, so no such URL can name anything.
    return "\0" in scope["path"] or b"%00" in scope["query_string"]


def _route_of(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "(no route)"))
