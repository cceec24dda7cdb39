"""What can go wrong on the model side before any text is computed."""

from __future__ import annotations

from lepton_tasks.errors import LeptonError


class ModelError(LeptonError):
    """A model cannot be loaded or used."""


class ModelRefused(ModelError):
    """A model folder is incomplete, inconsistent or unsafe."""


class TemporaryFailure(ModelError):
    """What a model needs is away for now; the same inputs may well succeed later.

    ``retry_after`` is for how many seconds it wants to be left alone, 0 where it does not say.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CatalogueError(ModelError):
    """The catalogue of models is unreadable or names no model for a task."""


class InputRefused(Exception):
    """One input cannot be encoded; ``message`` says why and quotes nothing of it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
