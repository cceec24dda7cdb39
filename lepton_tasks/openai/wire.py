"""A request body as it concerns jobs: what is asked of which task, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lepton_tasks.errors import InvalidInput
from lepton_tasks.openai.failures import WireFailure, failure
from lepton_tasks.queues import Priority

MOST_INPUTS: Final = 2_048
"""Inputs of one request, as OpenAI's own bound is."""


class Reply(Protocol):
    """Makes the response body of a request."""

    def __call__(
        self, bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
    ) -> dict[str, Any]:
        """Make it of the outputs, in the order of the inputs.

        ``bare_id`` is an id without its prefix, such as that of the job, ``created`` in Unix
        seconds; ``model`` is the name of the one that answered, where it is known.
        """
        ...


@dataclass(frozen=True, slots=True)
class WireRequest:
    """What one request body asks.

    ``inputs`` are one at least, and not admitted yet; ``options`` are the given ones alone.
    ``names`` says how the request calls what may be wrong with them, by our names: see
    :func:`~lepton_tasks.openai.names.renamed`.
    """

    task: str
    inputs: tuple[Any, ...]
    options: Mapping[str, Any]
    names: Mapping[str, str]
    reply: Reply
    single: bool = False
    """Whether the one input is asked for alone, and not as a list of one."""
    partial: bool = False
    """Whether the answer may hold errors in the places of outputs."""
    stream: bool = False
    """Whether the answer is asked for piece by piece."""
    priority: Priority = Priority.HIGH
    """For whoever waits for the answer."""
    metadata: Mapping[str, str] | None = None

    def failure(self, outputs: Sequence[Any]) -> WireFailure | None:
        """What the whole request has failed with; None where :attr:`reply` answers it.

        An output is a failure where it is ``{"error": {"code", "message"}}``.
        """
        errors = [found for output in outputs if (found := error_of(output)) is not None]
        if not errors or (self.partial and len(errors) < len(outputs)):
            return None
        return failure(errors[0]["code"], errors[0]["message"])


class WireEndpoint(Protocol):
    """A path that takes such bodies."""

    @property
    def path(self) -> str:
        """Such as ``/v1/moderations``."""
        ...

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Check a body as far as this is nothing of the task's own.

        Raises:
            InvalidInput: a field is wrong; ``param`` names it as the body does.
        """
        ...


def error_of(output: object) -> Mapping[str, Any] | None:
    """The error that stands in the place of an output, if one does.

    >>> error_of({"error": {"code": "encoding_failed", "message": "why"}})["code"]
    'encoding_failed'
    >>> error_of({"text": "好"})
    """
    error = output.get("error") if isinstance(output, Mapping) else None
    return error if isinstance(error, Mapping) else None


def refuse_stream(request: WireRequest) -> None:
    """Refuse what can only be answered whole, where an answer is asked for in pieces.

    Raises:
        InvalidInput: it is.
    """
    if request.stream:
        param = request.names.get("options.stream", "options.stream")
        raise InvalidInput(
            f"{param} is not supported here, where answers are given whole; leave it out",
            param,
            "unsupported_value",
        )


def counted(inputs: Sequence[Any], param: str) -> tuple[Any, ...]:
    """The inputs of a request, which calls them ``param``.

    >>> counted(["a", "b"], "input")
    ('a', 'b')

    Raises:
        InvalidInput: there are none, or too many.
    """
    if not 1 <= len(inputs) <= MOST_INPUTS:
        raise InvalidInput(
            f"{param} has {len(inputs):,} items; send 1 to {MOST_INPUTS:,}", param, "invalid_value"
        )
    return tuple(inputs)


def given(**options: Any) -> dict[str, Any]:
    """Options that have a value.

    >>> given(model=None, dimensions=64)
    {'dimensions': 64}
    """
    return {name: value for name, value in options.items() if value is not None}
