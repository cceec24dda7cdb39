"""What a desk needs of whoever writes its texts: a model on this machine, or another server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from lepton_tasks.nlp.generating import GenerationSpec
from workers.engines.base import Engine
from workers.generation.requests import FinishReason, OnDevice, OnText


class Asked(Protocol):
    """A request as a desk sees it."""

    @property
    def id(self) -> str:
        """Unique among those held."""
        ...

    @property
    def spec(self) -> GenerationSpec:
        """How the text is written."""
        ...


class Written(Protocol):
    """What came of a request; a text in most cases."""

    @property
    def finish_reason(self) -> FinishReason:
        """Why it ended."""
        ...

    def raw(self) -> Mapping[str, Any]:
        """Return it as a task's ``decode`` takes it."""
        ...


OnWritten = Callable[[Written | Exception], None]
"""Takes how a request ended; called once."""


class Writer(Protocol):
    """Writes texts, many at once; each begins and ends by itself. For calls from any thread.

    The callbacks of a request come from the writer's thread: they are quick and do not raise.
    ``on_done`` is called once, but not for a request that :meth:`close` or :meth:`stop` gave back.
    """

    def start(self) -> None:
        """Begin to write."""
        ...

    def submit(self, request: Any, on_done: OnWritten, on_text: OnText | None = None) -> None:
        """Take a request; returns at once. Raises GenerationRefused for one that can never run."""
        ...

    def cancel(self, request_id: str) -> None:
        """End a request with the text it has, soon; one that is not held is left alone."""
        ...

    def close(self, until: float) -> list[str]:
        """Start nothing more; returns the ids that did not start, which are given back.

        What runs may end until that time on the monotonic clock.
        """
        ...

    def stop(self) -> list[str]:
        """Wait for what may still end; returns the ids that did not."""
        ...


@runtime_checkable
class WritingEngine(Engine, Protocol):
    """An engine whose items go to a desk and not into micro-batches."""

    def generator(
        self,
        may_step: Callable[[], bool] = ...,
        turn: Callable[[], AbstractContextManager[Any]] = ...,
        on_device: OnDevice = ...,
    ) -> Writer:
        """Make what writes. ``may_step`` says whether the lease is fresh."""
        ...
