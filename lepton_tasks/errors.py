"""Every error of ours: one root, one sentence a class, a message that says what to do."""

from __future__ import annotations


class LeptonError(Exception):
    """Root of all errors that this project raises on purpose."""

    code = "error"


class ConfigError(LeptonError):
    """A setting is missing or wrong; the message names it."""

    code = "config_error"


class InvalidInput(LeptonError):
    """Something a producer sent cannot be accepted; ``param`` names the field."""

    code = "invalid_input"

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        if code is not None:
            self.code = code


class UnknownTask(InvalidInput):
    """No NLP task of that name is registered."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="task", code="unknown_task")


class IdempotencyConflict(InvalidInput):
    """The idempotency key was used before with another request body."""

    def __init__(self, message: str) -> None:
        super().__init__(message, param="Idempotency-Key", code="idempotency_conflict")


class NotFound(LeptonError):
    """No such object in this tenant."""

    code = "not_found"


class Gone(NotFound):
    """It was this tenant's once, and has been deleted."""

    code = "deleted"


class Conflict(LeptonError):
    """What was asked does not go with the state that the object is in; ``code`` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class VersionError(LeptonError):
    """A version of a model cannot be published or served; the message says why."""

    code = "version_error"


class UnknownVersion(VersionError):
    """There is no such version of the model; the message lists those there are."""

    code = "unknown_version"


class Overloaded(LeptonError):
    """More was sent than is taken for now: send it again after ``retry_after`` seconds."""

    code = "overloaded"

    def __init__(self, message: str, retry_after: float, code: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        if code is not None:
            self.code = code


class StoreUnavailable(LeptonError):
    """The database cannot be reached, is read-only, or is at another schema version."""

    code = "store_unavailable"


class StorageUnavailable(LeptonError):
    """The folder of files cannot be read or written; nothing of what was asked is kept."""

    code = "storage_unavailable"


class StorageFull(StorageUnavailable):
    """The disk of the folder of files has no room, or its quota is used up."""

    code = "storage_full"


class BrokerUnavailable(LeptonError):
    """Redis cannot be reached or is configured in a way that loses messages."""

    code = "broker_unavailable"


class BrokerAway(BrokerUnavailable):
    """Redis cannot be reached; it may come back."""


class IllegalTransition(LeptonError):
    """A job was asked to move between states that have no such edge."""

    code = "illegal_transition"


class LeaseLost(LeptonError):
    """Another has taken over what this process had under a lease."""

    code = "lease_lost"
