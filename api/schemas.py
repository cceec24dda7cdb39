"""What goes in and out over HTTP, as clients and the OpenAPI description see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from lepton_tasks.jobs import Job, Submitted
from lepton_tasks.nlp.registry import AnyTask
from lepton_tasks.queues import Priority, queue_name
from lepton_tasks.states import JobState

DataT = TypeVar("DataT")


class Stored(Protocol):
    """Something that the store lists, and that has an id."""

    @property
    def id(self) -> str:
        """Its id, from which a list goes on."""
        ...


StoredT = TypeVar("StoredT", bound=Stored)


def described(schema: dict[str, Any]) -> Any:
    """Document a value that our own rules judge, for all producers alike; HTTP does not."""
    return WithJsonSchema(schema)


class JobCreate(BaseModel):
    """A job to be done. Send exactly one of ``input`` and ``inputs``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"task": "moderation", "input": "今天的服务真不错"}]},
    )

    task: Annotated[Any, described({"type": "string", "description": "see GET /v1/tasks"})]
    input: Annotated[Any, described({"description": "an item of the task"})] = None
    inputs: Annotated[Any, described({"type": "array", "items": {}})] = None
    options: Annotated[Any, described({"type": "object"})] = None
    priority: Annotated[Any, described({"type": "string", "enum": [*Priority]})] = None
    ttl_seconds: Annotated[Any, described({"type": "number", "exclusiveMinimum": 0})] = None
    run_at: Annotated[
        Any,
        described(
            {
                "type": ["number", "string"],
                "description": "Unix seconds, or an ISO 8601 time with an offset",
            }
        ),
    ] = None
    webhook: Annotated[Any, described({"type": "string", "format": "uri"})] = None
    metadata: Annotated[
        Any, described({"type": "object", "additionalProperties": {"type": "string"}})
    ] = None


class JobAccepted(BaseModel):
    """A job that is stored and will be done. Times are Unix seconds."""

    id: str
    object: Literal["job"] = "job"
    task: str
    state: JobState
    priority: Priority
    created_at: float

    @classmethod
    def of(cls, submitted: Submitted) -> Self:
        """View of a submit's answer."""
        return cls(
            id=submitted.id,
            task=submitted.task,
            state=submitted.state,
            priority=submitted.priority,
            created_at=submitted.created_at,
        )


class ModelName(BaseModel):
    """The model that answered. ``demo``: it only demonstrates the task."""

    name: str
    revision: str
    demo: bool = False


class JobError(BaseModel):
    """Why a job has no result."""

    code: str
    message: str


class JobProgress(BaseModel):
    """How far a job of minutes to hours has come, as its worker last said at ``updated_at``.

    ``fraction`` is of all that is to be done, ``eta_seconds`` a guess at what is left.
    ``step`` counts up to ``steps`` within a ``stage``; ``loss`` is the mean of the last steps.
    ``tokens_per_second`` and ``perplexity``, on what is held out, are those of a language model.
    """

    stage: str
    fraction: float
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    rows: int | None = None
    tokens_per_second: float | None = None
    perplexity: float | None = None
    eta_seconds: float | None = None
    updated_at: float


class JobView(BaseModel):
    """A job as it is. Times are Unix seconds.

    ``output`` is there for a job with ``input``, ``outputs`` for one with
    ``inputs``, in their order; null until the job has succeeded. An output that
    could not be computed is ``{"error": {"code", "message"}}``. ``progress`` is there
    for a job of minutes to hours that has begun and is read alone.
    """

    id: str
    object: Literal["job"]
    task: str
    state: JobState
    priority: Priority
    created_at: float
    run_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float | None
    attempts: int
    cancel_requested: bool
    batch_id: str | None
    metadata: dict[str, str]
    model: ModelName | None
    error: JobError | None
    output: Any = None
    outputs: list[Any] | None = None
    progress: JobProgress | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """View of a stored job."""
        model = None if job.result is None else job.result.get("model")
        answer = {"output" if job.single else "outputs": job.output()}
        if job.progress is not None:
            answer["progress"] = JobProgress.model_validate(job.progress)
        return cls(
            id=job.id,
            object="job",
            task=job.task,
            state=job.state,
            priority=job.priority,
            created_at=job.created_at,
            run_at=job.run_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            expires_at=job.deadline,
            attempts=job.attempts,
            cancel_requested=job.cancel_requested,
            batch_id=job.batch_id,
            metadata=dict(job.metadata),
            model=None if model is None else ModelName.model_validate(model),
            error=None if job.error is None else JobError.model_validate(job.error),
            **answer,
        )


class JobDeleted(BaseModel):
    """A job that is no more."""

    id: str
    object: Literal["job"]
    deleted: Literal[True]


class Page(BaseModel, Generic[DataT]):
    """One page of a list; the next begins ``?after=<last_id>``."""

    object: Literal["list"] = "list"
    data: list[DataT]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(
        cls, found: Sequence[StoredT], limit: int, view: Callable[[StoredT], DataT]
    ) -> Page[DataT]:
        """Page of the first ``limit`` of ``found``, which holds one more where there are more."""
        shown = found[:limit]
        return cls(
            object="list",
            data=[view(one) for one in shown],
            first_id=shown[0].id if shown else None,
            last_id=shown[-1].id if shown else None,
            has_more=len(found) > limit,
        )


class TaskLimits(BaseModel):
    """What one job of a task may hold."""

    max_characters: int
    max_bytes: int
    max_inputs: int


class TaskExample(BaseModel):
    """An input that works, and options for it."""

    input: Any
    options: dict[str, Any]


class TaskView(BaseModel):
    """An NLP task: what it does, takes and gives."""

    id: str
    object: Literal["task"] = "task"
    summary: str
    input_schema: dict[str, Any]
    options_schema: dict[str, Any]
    output_schema: dict[str, Any]
    examples: list[TaskExample]
    limits: TaskLimits
    queues: list[str]

    @classmethod
    def of(cls, task: AnyTask, max_inputs: int) -> Self:
        """View of a registered task."""
        return cls(
            id=task.name,
            summary=task.summary,
            input_schema=task.input_schema(),
            options_schema=task.options_model.model_json_schema(),
            output_schema=task.output_model.model_json_schema(mode="serialization"),
            examples=[
                TaskExample(input=example.input, options=dict(example.options))
                for example in task.examples
            ],
            limits=TaskLimits(
                max_characters=task.max_characters,
                max_bytes=task.max_bytes,
                max_inputs=max_inputs,
            ),
            queues=[queue_name(task.name, priority) for priority in Priority],
        )


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Whether requests can be served.

    ``workers`` counts live workers by task, ``backlog`` queued jobs by queue (null while
    counting them takes long), ``oldest_seconds`` the wait of the oldest due job of a queue.
    ``degraded``: something is ``missing``, and jobs are accepted all the same.
    """

    status: Literal["ready", "degraded", "unavailable"]
    missing: list[str] = Field(
        default_factory=list,
        description="`database`, `schema`, `redis`, and `worker:TASK` where due jobs have none.",
    )
    database: str
    schema_version: str
    redis: str
    workers: dict[str, int] = Field(default_factory=dict)
    oldest_seconds: dict[str, float] = Field(default_factory=dict)
    backlog: dict[str, int] | None = None
