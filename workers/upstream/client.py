"""The HTTP side of an upstream: one request, its answer taken as it comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson

from workers.errors import TemporaryFailure
from workers.upstream.errors import UpstreamBroken, refusal
from workers.upstream.options import UpstreamOptions
from workers.upstream.question import Answer, Question
from workers.upstream.wire import event_of

logger = logging.getLogger(__name__)

MOST_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one answer; a longer one is cut off."""
_ERROR_BYTES: Final = 64 * 1024
_CONNECT_SECONDS: Final = 10.0


class UpstreamClient:
    """Asks one upstream. An async context manager; a request that is cancelled hangs up."""

    def __init__(self, name: str, options: UpstreamOptions, key: str | None) -> None:
        """``name`` is the model's in the catalogue."""
        self._name = name
        self._options = options
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"content-type": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0),  # who asks bounds how many there are
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._options.timeout
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None  # noqa: S101
        await self._session.close()

    async def ask(
        self, question: Question, answer: Answer, on_text: Callable[[str], None] | None
    ) -> None:
        """Post a question and fill in ``answer``; ``on_text`` is told each piece of a stream.

        Raises:
            TemporaryFailure: it is away, busy, or broke off; the same question may do later.
            ModelError: it refuses the question, or does not answer it.
        """
        assert self._session is not None  # noqa: S101
        url = self._options.url + question.path
        body = orjson.dumps(question.body)
        try:
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                if response.status != 200:
                    raise await self._refused(response)
                if question.streams:
                    await self._follow(response, answer, on_text)
                else:
                    answer.take(orjson.loads(await _bounded(response, MOST_BYTES)))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TemporaryFailure(f"{self._name} is away: {type(error).__name__}") from None
        except ValueError:
            raise UpstreamBroken(f"{self._name} answered no JSON, or too much") from None

    async def _follow(
        self,
        response: aiohttp.ClientResponse,
        answer: Answer,
        on_text: Callable[[str], None] | None,
    ) -> None:
        size = 0
        async for line in response.content:
            size += len(line)
            if size > MOST_BYTES:
                raise UpstreamBroken(f"{self._name} answered too much")
            event = event_of(line)
            if event is None:
                continue
            piece = answer.take(event)
            if piece and on_text is not None:
                on_text(piece)
        if answer.finish_reason is None:
            raise TemporaryFailure(f"{self._name} broke off")

    async def _refused(self, response: aiohttp.ClientResponse) -> Exception:
        said: Any = None
        with suppress(ValueError):
            said = orjson.loads(await _bounded(response, _ERROR_BYTES))
        error = refusal(self._name, response.status, said, response.headers.get("retry-after"))
        logger.warning("%s", error)
        return error


async def _bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            raise ValueError("too much")
    return bytes(body)
