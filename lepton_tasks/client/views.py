"""What a server tells of jobs, tasks, files and batches. Times are Unix seconds.

A newer server may tell more: fields that are not known here are kept as they are.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lepton_tasks.client.errors import Told, UnexpectedAnswer
from lepton_tasks.queues import Priority
from lepton_tasks.states import BATCH_TERMINAL, TERMINAL

ViewT = TypeVar("ViewT", bound="View")


def read_view(kind: type[ViewT], value: Any) -> ViewT:
    """Make a view of what a server told.

    >>> read_view(FileObject, {"id": "file_1"})
    Traceback (most recent call last):
    ...
    lepton_tasks.client.errors.UnexpectedAnswer: the answer is no FileObject (bytes: Field ...

    Raises:
        UnexpectedAnswer: it is none; the message names the field and quotes nothing.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise unexpected(kind.__name__, error) from None


def unexpected(what: str, error: ValidationError) -> UnexpectedAnswer:
    """The error of an answer that is not ``what`` it should be."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = (
        f"the answer is no {what} ({place}: {first['msg']}); does base_url name a server of "
        "lepton-tasks, and is it of this client's version?"
    )
    return UnexpectedAnswer(Told(200, message, "unexpected_answer", place or None))


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
