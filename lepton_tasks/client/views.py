"""What a server tells of jobs, tasks, files and batches. Times are Unix seconds.

A newer server may tell more: fields that are not known here are kept as they are.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lepton_tasks.queues import Priority
from lepton_tasks.states import BATCH_TERMINAL, TERMINAL


class View(BaseModel):
    """Something a server told."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class ModelName(View):
    """The model that answered. ``demo``: it only demonstrates the task."""

    name: str
    revision: str
    demo: bool = False


class Fault(View):
    """Why something has no result."""

    code: str
    message: str


class Progress(View):
    """How far a job of minutes to hours has come; ``fraction`` is of all that is to be done."""

    stage: str
    fraction: float
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    eta_seconds: float | None = None
    updated_at: float


class Job(View):
    """A job as it was when it was read."""

    id: str
    task: str
    state: str
    priority: Priority
    created_at: float
    run_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    attempts: int = 0
    cancel_requested: bool = False
    batch_id: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    model: ModelName | None = None
    error: Fault | None = None
    output: Any = None
    outputs: list[Any] | None = None
    progress: Progress | None = None

    @property
    def ended(self) -> bool:
        """Whether it stays as it is, and was read whole: a submit's answer has no results."""
        return self.state in TERMINAL and "attempts" in self.model_fields_set


class TaskInfo(View):
    """A task that the server takes: what it does, takes and gives."""

    id: str
    summary: str
    input_schema: dict[str, Any]
    options_schema: dict[str, Any]
    output_schema: dict[str, Any]


class FileObject(View):
    """A file that lies on the server; ``bytes`` is its size."""

    id: str
    bytes: int
    created_at: float
    filename: str
    purpose: str
    status: str = "processed"
    expires_at: float | None = None


class LineCounts(View):
    """Lines of a batch; ``total`` is 0 until they are counted."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(View):
    """A batch as it was when it was read."""

    id: str
    endpoint: str = ""
    status: str
    created_at: float
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str | None = None
    expires_at: float | None = None
    completed_at: float | None = None
    request_counts: LineCounts = Field(default_factory=LineCounts)
    metadata: dict[str, str] | None = None
    errors: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether it stays as it is."""
        return self.status in BATCH_TERMINAL
