"""What the logic of a client asks of whoever does its I/O, as data.

Each operation is a generator of such effects, written once. A driver carries them out: one
blocks (:mod:`~lepton_tasks.client.blocking`), one awaits (:mod:`~lepton_tasks.client.awaiting`).
When a driver is interrupted, or its consumer stops early, the exception is thrown into the
generator, which may ask for further effects before it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from lepton_tasks.client.messages import Failure, Request, Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; answered by a Response or a Failure."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request whose answer is read bit by bit; answered by a Stream or a Failure."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Read on; answered by bytes, by None at the end, or by a Failure."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class Close:
    """Let go of an answer, read or not."""

    stream: Stream


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pull:
    """Take the next item of what the caller iterates over; answered by it, or by END."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a value to the consumer; it comes back when the consumer wants the next."""

    value: Any


@dataclass(frozen=True, slots=True)
class Stream:
    """The head of an answer that is open; ``handle`` is the driver's own."""

    head: Response
    handle: Any


class Stopped(BaseException):
    """The consumer wants no more; thrown into an operation, which cleans up and lets it pass.

    GeneratorExit would not do: inside of ``yield from`` it leaves no room for further effects.
    """


END: Final = object()
"""There is no further item."""

Effect = Send | Open | Read | Close | Pause | Pull | Emit
Steps = Generator[Effect, Any, T]
"""An operation that ends with a T."""


def send(request: Request) -> Steps[Response | Failure]:
    """Send a request once."""
    outcome: Response | Failure = yield Send(request)
    return outcome


def open_(request: Request) -> Steps[Stream | Failure]:
    """Open a request's answer once."""
    outcome: Stream | Failure = yield Open(request)
    return outcome


def refined(steps: Steps[None], make: Callable[[Any], Iterable[Any]]) -> Steps[None]:
    """Emit what ``make`` makes of each value that ``steps`` emits."""
    resume: Callable[[Any], Effect] = steps.send
    value: Any = None
    while True:
        try:
            effect = resume(value)
        except StopIteration:
            return
        try:
            if isinstance(effect, Emit):
                for one in make(effect.value):
                    yield Emit(one)
                value = None
            else:
                value = yield effect
            resume = steps.send
        except BaseException as error:  # noqa: BLE001 - what was refined decides what comes of it
            value, resume = error, steps.throw


def read(stream: Stream) -> Steps[bytes | Failure | None]:
    """Read a piece of an open answer."""
    piece: bytes | Failure | None = yield Read(stream)
    return piece
