"""One call: sent, sent again where that may help, read, or raised as the error of its kind."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.effects import Close, Emit, Pause, Steps, Stream, open_, read, send
from lepton_tasks.client.errors import Told, UnexpectedAnswer
from lepton_tasks.client.messages import Failure, Request, Response, failed, parsed, refused
from lepton_tasks.client.retrying import is_passing, pause_before

logger = logging.getLogger(__name__)

MOST_PAGE: Final = 100
_RESENT: Final = "x-stainless-retry-count"
"""Tells the server that a request was sent before, so that it finds the job it made then."""


class Caller:
    """Makes calls as a configuration says. Holds nothing but that."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration

    def json(
        self, request: Request, *, retries: int | None = None, waits: bool = False
    ) -> Steps[Any]:
        """Do a call; ends with the JSON of its answer.

        ``retries`` is instead of ``max_retries``; with ``waits`` an answer of 429 is no failed
        attempt, however often it comes.

        Raises:
            ClientError: it failed, at last.
        """
        response = yield from self.call(request, retries=retries, waits=waits)
        value = parsed(response.content)
        if value is None:
            message = (
                f"{request.method} {request.path} was answered by something that does not speak "
                "this API; is base_url right?"
            )
            request_id = response.headers.get("x-request-id")
            raise UnexpectedAnswer(Told(response.status, message, "no_json", None, request_id))
        return value

    def call(
        self, request: Request, *, retries: int | None = None, waits: bool = False
    ) -> Steps[Response]:
        """Do a call; ends with its answer, which is a success.

        Raises:
            ClientError: it failed, at last.
        """
        attempt = 1
        while True:
            outcome = yield from send(self._numbered(request, attempt))
            if isinstance(outcome, Response) and outcome.ok:
                return outcome
            if not (waits and isinstance(outcome, Response) and outcome.status == 429):
                attempt += 1
            yield from self.before_next(request, outcome, attempt, retries)

    def open(self, request: Request, *, retries: int | None = None) -> Steps[Stream]:
        """Open a call's answer; ends with it once it is a success. Whoever opens it closes it.

        Raises:
            ClientError: it failed, at last.
        """
        attempt = 1
        while True:
            outcome = yield from open_(self._numbered(request, attempt))
            if isinstance(outcome, Stream):
                if outcome.head.ok:
                    return outcome
                refusal: Response | Failure = yield from self._whole(outcome)
            else:
                refusal = outcome
            attempt += 1
            yield from self.before_next(request, refusal, attempt, retries)

    def pages(
        self, path: str, params: Mapping[str, Any], view: Callable[[Any], Any]
    ) -> Steps[None]:
        """Emit all entries of a list, page by page, each as ``view`` makes it."""
        after = params.get("after")
        while True:
            page = yield from self.json(Request("GET", path, {**params, "after": after}))
            for entry in entries(page):
                yield Emit(view(entry))
            if not page.get("has_more"):
                return
            after = page.get("last_id")

    def before_next(
        self, request: Request, outcome: Response | Failure, attempt: int, retries: int | None
    ) -> Steps[None]:
        """Wait until it is time for sending number ``attempt``.

        Raises:
            ClientError: there is none.
        """
        most = self.configuration.max_retries if retries is None else retries
        pause = pause_before(attempt, outcome, random.random())  # noqa: S311
        if not is_passing(outcome) or pause is None or attempt > 1 + most:
            if isinstance(outcome, Failure):
                raise failed(request, outcome, self.configuration.base_url)
            raise refused(outcome)
        why = outcome.reason if isinstance(outcome, Failure) else f"HTTP {outcome.status}"
        logger.info("a %s is sent again in %.1f s: %s", request.method, pause, why)
        yield Pause(pause)

    def _whole(self, stream: Stream) -> Steps[Response | Failure]:
        """The rest of an answer that is short, such as an error."""
        content = b""
        try:
            while (piece := (yield from read(stream))) is not None:
                if isinstance(piece, Failure):
                    return piece
                content += piece
        finally:
            yield Close(stream)
        return replace(stream.head, content=content)

    @staticmethod
    def _numbered(request: Request, attempt: int) -> Request:
        if attempt == 1:
            return request
        return replace(request, headers={**request.headers, _RESENT: str(attempt - 1)})


def entries(page: Any) -> list[Any]:
    """The entries of a page of a list.

    Raises:
        UnexpectedAnswer: it is none.
    """
    data = page.get("data") if isinstance(page, Mapping) else None
    if not isinstance(data, list):
        raise UnexpectedAnswer(Told(200, "the answer is no list; is base_url right?", "no_list"))
    return data


def with_key(request: Request, key: str | None = None) -> Request:
    """A request that makes something, however often it is sent, once.

    ``key`` is the caller's, which holds for repetitions of the call, too.
    """
    headers = {**request.headers, "idempotency-key": key or secrets.token_hex(16)}
    return replace(request, headers=headers)
