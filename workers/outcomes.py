"""What the model side made of one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lepton_tasks.errors import InvalidInput
from workers.device_faults import is_out_of_memory
from workers.errors import InputRefused, TemporaryFailure


@dataclass(frozen=True, slots=True)
class Done:
    """The engine's raw answer, which the task decodes."""

    raw: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer; ``message`` quotes nothing of the input.

    ``retryable`` tells that the same input may succeed later: its job is run again, and not
    before ``retry_after`` seconds.
    """

    code: str
    message: str
    retryable: bool = False
    retry_after: float = 0.0


Outcome = Done | Failed

CANCELLED: Final = Failed("cancelled", "the job was cancelled before this input was computed")
WRONG_OPTIONS: Final = Failed("wrong_options", "the options are not those of this version")
CRASHED: Final = Failed("crashed", "running this input alone ended its worker again and again")
ENCODING_FAILED: Final = Failed("encoding_failed", "the input could not be encoded")
ENCODING_TIMEOUT: Final = Failed(
    "encoding_timeout", "encoding the input took longer than LEPTON_ENCODE_SECONDS"
)


def refused(error: Exception) -> Failed | None:
    """What an input ends with that its task or its engine refused; None for any other error.

    The messages of such errors quote nothing of a text.

    >>> refused(InvalidInput("en-zh is the one pair", "target", "unsupported_pair")).code
    'unsupported_pair'
    """
    return (
        Failed(error.code, str(error)) if isinstance(error, InvalidInput | InputRefused) else None
    )


def raised(error: Exception) -> Failed:
    """The model raised ``error`` for this input alone.

    >>> raised(ValueError("a user's text")).message
    'the model raised ValueError'
    >>> raised(MemoryError()).retryable, raised(TemporaryFailure("no route to host")).code
    (True, 'unavailable')
    """
    if (own := refused(error)) is not None:
        return own
    if isinstance(error, TemporaryFailure):
        away = "what the model needs is away for now"
        return Failed("unavailable", away, retryable=True, retry_after=error.retry_after)
    if is_out_of_memory(error):
        return Failed("out_of_memory", "the device had no memory left for it", retryable=True)
    return Failed("model_error", f"the model raised {type(error).__name__}")
