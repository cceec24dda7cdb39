"""A Python client of the HTTP API: ``from lepton_tasks import Client, AsyncClient``."""

from lepton_tasks.client.async_client import AsyncClient
from lepton_tasks.client.batch_handles import AsyncBatchHandle, BatchHandle
from lepton_tasks.client.batch_lines import BatchResult
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
from lepton_tasks.client.views import Batch, FileObject, Job, TaskInfo

__all__ = [
    "AsyncBatchHandle",
    "AsyncClient",
    "AsyncJobHandle",
    "AsyncTextStream",
    "Batch",
    "BatchFailed",
    "BatchHandle",
    "BatchResult",
    "Client",
    "ClientError",
    "DeletedObject",
    "FileObject",
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
