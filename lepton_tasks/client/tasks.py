"""Which type an answer has: that of the task's own output model, or plain JSON."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from pydantic import ValidationError

from lepton_tasks.client.errors import JobFailed
from lepton_tasks.client.views import unexpected
from lepton_tasks.nlp.base import Task

if TYPE_CHECKING:
    from lepton_tasks.client.async_client import AsyncClient
    from lepton_tasks.client.client import Client
    from lepton_tasks.client.named import AsyncNamed, AsyncWriter, Named, Writer
    from lepton_tasks.nlp.chat import ChatOutput
    from lepton_tasks.nlp.classification import ClassificationOutput
    from lepton_tasks.nlp.compression import CompressionOutput
    from lepton_tasks.nlp.editing import EditingOutput
    from lepton_tasks.nlp.embedding import EmbeddingOutput
    from lepton_tasks.nlp.explanation import ExplanationOutput
    from lepton_tasks.nlp.generation import GenerationOutput
    from lepton_tasks.nlp.moderation import ModerationOutput
    from lepton_tasks.nlp.preprocessing import PreprocessingOutput
    from lepton_tasks.nlp.question_answering import QuestionAnsweringOutput
    from lepton_tasks.nlp.recommendation import RecommendationOutput
    from lepton_tasks.nlp.redaction import RedactionOutput
    from lepton_tasks.nlp.sentiment import SentimentOutput
    from lepton_tasks.nlp.similarity import SimilarityOutput
    from lepton_tasks.nlp.summarisation import SummarisationOutput
    from lepton_tasks.nlp.training import TrainingOutput
    from lepton_tasks.nlp.translation import TranslationOutput

OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True)
class ItemError:
    """In place of the output of an input that could not be computed."""

    code: str
    message: str


class Outputs(Generic[OutputT]):
    """Reads the outputs of one task."""

    def __init__(self, task: str, model: Any = None) -> None:
        """``model`` is the task's pydantic model of an output; None for plain JSON."""
        self.task = task
        self._model = model

    def read(self, value: Any) -> OutputT | ItemError:
        """Make of an output's JSON what it is; a field that a newer server adds is kept.

        Raises:
            UnexpectedAnswer: it is no output of the task.
        """
        if isinstance(value, Mapping) and isinstance(error := value.get("error"), Mapping):
            return ItemError(str(error.get("code")), str(error.get("message")))
        if self._model is None:
            return cast("OutputT", value)
        try:
            return cast("OutputT", self._model.model_validate(value, extra="allow"))
        except ValidationError as error:
            raise unexpected(f"output of {self.task}", error) from None

    def one(self, job_id: str, value: Any) -> OutputT:
        """The output of a job's only input.

        Raises:
            JobFailed: the input could not be computed.
        """
        output = self.read(value)
        if isinstance(output, ItemError):
            raise JobFailed(job_id, output.code, output.message)
        return output


class TaskName(Generic[OutputT]):
    """A task of ours on a client: ``client.moderation`` calls it and knows what it answers."""

    def __init__(self, name: str, output: str) -> None:
        """``output`` is the name of its output model, in the module of the same name."""
        self.name = name
        self._output = output

    def outputs(self) -> Outputs[OutputT]:
        """Reader of its outputs; the task's module is imported now."""
        module = importlib.import_module(f"lepton_tasks.nlp.{self.name.replace('-', '_')}")
        return Outputs(self.name, getattr(module, self._output))

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: Any) -> Named[OutputT]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: Any) -> AsyncNamed[OutputT]: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        """The task as ``client`` calls it."""
        return self if client is None else client.named(self)


class WriterName(TaskName[OutputT]):
    """A task that writes a text, which may be read while it grows."""

    @overload
    def __get__(self, client: None, owner: Any) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: Any) -> Writer[OutputT]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: Any) -> AsyncWriter[OutputT]: ...
    def __get__(self, client: Any, owner: Any) -> Any:
        """The task as ``client`` calls it."""
        return self if client is None else client.writer(self)


class KnownTasks:
    """The tasks that ship, each an attribute of a client."""

    chat: WriterName[ChatOutput] = WriterName("chat", "ChatOutput")
    classification: TaskName[ClassificationOutput] = TaskName(
        "classification", "ClassificationOutput"
    )
    compression: TaskName[CompressionOutput] = TaskName("compression", "CompressionOutput")
    editing: TaskName[EditingOutput] = TaskName("editing", "EditingOutput")
    embedding: TaskName[EmbeddingOutput] = TaskName("embedding", "EmbeddingOutput")
    explanation: TaskName[ExplanationOutput] = TaskName("explanation", "ExplanationOutput")
    generation: WriterName[GenerationOutput] = WriterName("generation", "GenerationOutput")
    moderation: TaskName[ModerationOutput] = TaskName("moderation", "ModerationOutput")
    preprocessing: TaskName[PreprocessingOutput] = TaskName("preprocessing", "PreprocessingOutput")
    question_answering: TaskName[QuestionAnsweringOutput] = TaskName(
        "question-answering", "QuestionAnsweringOutput"
    )
    recommendation: TaskName[RecommendationOutput] = TaskName(
        "recommendation", "RecommendationOutput"
    )
    redaction: TaskName[RedactionOutput] = TaskName("redaction", "RedactionOutput")
    sentiment: TaskName[SentimentOutput] = TaskName("sentiment", "SentimentOutput")
    similarity: TaskName[SimilarityOutput] = TaskName("similarity", "SimilarityOutput")
    summarisation: TaskName[SummarisationOutput] = TaskName("summarisation", "SummarisationOutput")
    training: TaskName[TrainingOutput] = TaskName("training", "TrainingOutput")
    translation: TaskName[TranslationOutput] = TaskName("translation", "TranslationOutput")


def outputs_of(task: str | type[Task[Any, Any]]) -> Outputs[Any]:
    """Reader of a task's outputs: typed for a task that ships and for a Task class.

    >>> outputs_of("a-plugin-of-the-server").read({"characters": 2})
    {'characters': 2}
    """
    if not isinstance(task, str):
        return Outputs(task.name, task.output_model)
    known = vars(KnownTasks).get(task.replace("-", "_"))
    if isinstance(known, TaskName) and known.name == task:
        return known.outputs()
    return Outputs(task)
