"""What the model side made of one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Done:
    """The engine's raw answer, which the task decodes."""

    raw: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is no answer; ``message`` quotes nothing of the input."""

    code: str
    message: str


Outcome = Done | Failed

CANCELLED: Final = Failed("cancelled", "the job was cancelled before this input was computed")
WRONG_OPTIONS: Final = Failed("wrong_options", "the options are not those of this version")
CRASHED: Final = Failed("crashed", "running this input alone ended its worker again and again")
ENCODING_FAILED: Final = Failed("encoding_failed", "the input could not be encoded")
ENCODING_TIMEOUT: Final = Failed(
    "encoding_timeout", "encoding the input took longer than LEPTON_ENCODE_SECONDS"
)


def raised(error: Exception) -> Failed:
    """The model raised ``error`` for this input alone.

    >>> raised(ValueError("a user's text")).message
    'the model raised ValueError'
    """
    return Failed("model_error", f"the model raised {type(error).__name__}")
