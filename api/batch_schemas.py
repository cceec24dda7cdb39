"""Batches over HTTP: OpenAI's shapes, and what there is of ours beside."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from fastapi import Path
from pydantic import BaseModel, ConfigDict

from api.schemas import described
from lepton_tasks.batches.orders import DEFAULT_WINDOW, ENDPOINT_TASKS
from lepton_tasks.files.rules import LEAST_SECONDS, MOST_SECONDS
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState
from lepton_tasks.store.batches import Batch

BatchId = Annotated[str, Path(description="Id of a batch, `batch_…`.")]


class BatchCreate(BaseModel):
    """A batch of an uploaded file: each of its lines asks the endpoint."""

    model_config = ConfigDict(extra="forbid")

    input_file_id: Annotated[
        Any, described({"type": "string", "description": "a file with the purpose `batch`"})
    ]
    endpoint: Annotated[Any, described({"type": "string", "enum": [*ENDPOINT_TASKS]})]
    completion_window: Annotated[
        Any,
        described(
            {
                "type": "string",
                "pattern": "^[1-9][0-9]*[mhd]$",
                "description": "its deadline: minutes, hours or days, up to 30 days",
            }
        ),
    ] = DEFAULT_WINDOW
    metadata: Annotated[
        Any, described({"type": "object", "additionalProperties": {"type": "string"}})
    ] = None
    output_expires_after: Annotated[
        Any,
        described(
            {
                "type": "object",
                "properties": {
                    "anchor": {"type": "string", "enum": ["created_at"]},
                    "seconds": {
                        "type": "integer",
                        "minimum": LEAST_SECONDS,
                        "maximum": MOST_SECONDS,
                    },
                },
                "required": ["anchor", "seconds"],
                "additionalProperties": False,
            }
        ),
    ] = None
    priority: Annotated[Any, described({"type": "string", "enum": [*Priority]})] = Priority.BULK
    webhook: Annotated[Any, described({"type": "string", "format": "uri"})] = None


class RequestCounts(BaseModel):
    """Lines of a batch; ``total`` is 0 until the last one is known."""

    total: int
    completed: int
    failed: int


class BatchFault(BaseModel):
    """What is wrong with a line of a file, or with all of it."""

    code: str
    line: int | None
    message: str
    param: str | None


class BatchFaults(BaseModel):
    """Why a file was refused."""

    object: Literal["list"] = "list"
    data: list[BatchFault]


class InputTokens(BaseModel):
    """Of the tokens read: those that were found in a cache."""

    cached_tokens: int = 0


class OutputTokens(BaseModel):
    """Of the tokens written: those that nobody sees."""

    reasoning_tokens: int = 0


class BatchUsage(BaseModel):
    """Tokens that the lines took."""

    input_tokens: int = 0
    input_tokens_details: InputTokens = InputTokens()
    output_tokens: int = 0
    output_tokens_details: OutputTokens = OutputTokens()
    total_tokens: int = 0


class BatchView(BaseModel):
    """A batch as it is. Times are Unix seconds, and whole ones but for ``finished_at``.

    ``endpoint``, ``input_file_id`` and ``completion_window`` are empty where
    `lepton batch run` reads the file. ``model`` is the one that all lines name. ``task`` is
    null where each line names its own. ``state`` is ``status`` by its older name.
    """

    id: str
    object: Literal["batch"] = "batch"
    endpoint: str
    model: str | None
    input_file_id: str
    completion_window: str
    status: BatchState
    errors: BatchFaults | None
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    usage: BatchUsage | None
    metadata: dict[str, str]
    task: str | None
    priority: Priority
    state: BatchState
    finished_at: float | None

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """View of a stored batch."""
        total, completed, failed = batch.lines

        def ended(state: BatchState) -> int | None:
            return _whole(batch.finished_at) if batch.state is state else None

        return cls(
            id=batch.id,
            endpoint=batch.endpoint,
            model=batch.model,
            input_file_id=batch.input_file_id or "",
            completion_window=batch.completion_window or "",
            status=batch.state,
            errors=_faults(batch),
            output_file_id=batch.output_file_id,
            error_file_id=batch.error_file_id,
            created_at=int(batch.created_at),
            in_progress_at=_whole(batch.in_progress_at),
            expires_at=_whole(batch.expires_at),
            finalizing_at=_whole(batch.finalizing_at),
            completed_at=ended(BatchState.COMPLETED),
            failed_at=ended(BatchState.FAILED),
            expired_at=ended(BatchState.EXPIRED),
            cancelling_at=_whole(batch.cancelling_at),
            cancelled_at=ended(BatchState.CANCELLED),
            request_counts=RequestCounts(total=total, completed=completed, failed=failed),
            usage=None if batch.usage is None else BatchUsage.model_validate(dict(batch.usage)),
            metadata=dict(batch.metadata),
            task=batch.task or None,
            priority=batch.priority,
            state=batch.state,
            finished_at=batch.finished_at,
        )


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)


def _faults(batch: Batch) -> BatchFaults | None:
    if batch.errors is None:
        return None
    return BatchFaults(data=[BatchFault.model_validate(dict(one)) for one in batch.errors])
