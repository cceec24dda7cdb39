"""A Python client of the HTTP API: ``from lepton_tasks import Client, AsyncClient``."""

from lepton_tasks.client.async_client import AsyncClient
from lepton_tasks.client.client import Client
from lepton_tasks.client.errors import (
    BatchFailed,
    ClientError,
    DeletedObject,
    IdempotencyMismatch,
    InvalidRequest,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    KeyRefused,
    NoAnswer,
    NoConnection,
    ServerFault,
    StillWaiting,
    TooLarge,
    TooMuch,
    Unavailable,
    UnexpectedAnswer,
    UnknownObject,
    WrongState,
)
from lepton_tasks.client.handles import AsyncJobHandle, JobHandle
from lepton_tasks.client.tasks import ItemError
from lepton_tasks.client.texts import AsyncTextStream, TextStream
from lepton_tasks.client.views import Job, TaskInfo

__all__ = [
    "AsyncClient",
    "AsyncJobHandle",
    "AsyncTextStream",
    "BatchFailed",
    "Client",
    "ClientError",
    "DeletedObject",
    "IdempotencyMismatch",
    "InvalidRequest",
    "ItemError",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobExpired",
    "JobFailed",
    "JobHandle",
    "KeyRefused",
    "NoAnswer",
    "NoConnection",
    "ServerFault",
    "StillWaiting",
    "TaskInfo",
    "TextStream",
    "TooLarge",
    "TooMuch",
    "Unavailable",
    "UnexpectedAnswer",
    "UnknownObject",
    "WrongState",
]
