"""A text that is read while it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.effects import Steps
from lepton_tasks.client.writing import Written
from lepton_tasks.managed import AsyncClosing, Closing


class _Text:
    """What is known of a text beside its pieces."""

    def __init__(self, written: Written) -> None:
        self._written = written

    @property
    def text(self) -> str:
        """All that was read so far."""
        return "".join(self._written.pieces)

    @property
    def job_id(self) -> str | None:
        """Id of the job that writes it, once the first piece was read."""
        answer = self._written.id
        return None if answer is None else f"job_{answer.partition('_')[2]}"

    @property
    def finish_reason(self) -> str | None:
        """Why it ended, ``stop`` or ``length``; None before."""
        return self._written.finish_reason

    @property
    def usage(self) -> Mapping[str, int] | None:
        """Its tokens: ``prompt_tokens``, ``completion_tokens``, ``total_tokens``; None before."""
        return self._written.usage


class TextStream(_Text, Closing):
    """Iterate over it for the pieces. Nothing is asked for before the first one is.

    Leave the ``with`` block, or :meth:`close` it, and the writing ends where it is.
    """

    def __init__(self, driver: BlockingDriver, steps: Steps[None], written: Written) -> None:
        super().__init__(written)
        self._pieces = driver.iterate(steps)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece: str = next(self._pieces)
        return piece

    def close(self) -> None:
        """Hang up."""
        self._pieces.close()


class AsyncTextStream(_Text, AsyncClosing):
    """Iterate over it with ``async for``; see :class:`TextStream`."""

    def __init__(self, driver: AwaitingDriver, steps: Steps[None], written: Written) -> None:
        super().__init__(written)
        self._pieces = driver.iterate(steps)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        piece: str = await anext(self._pieces)
        return piece

    async def aclose(self) -> None:
        """Hang up."""
        await self._pieces.aclose()
