"""``/v1/jobs`` as a body of a batch's line: an item of any task that answers at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from lepton_tasks.conversations import refuse_turn
from lepton_tasks.errors import InvalidInput, UnknownTask
from lepton_tasks.fields import refuse_unknown
from lepton_tasks.nlp.registry import AnyTask, find_tasks
from lepton_tasks.openai.wire import WireRequest, counted

_FIELDS: Final = ("task", "input", "inputs", "options")


class Jobs:
    """Reads and answers bodies of it: ``{task, input | inputs, options}``."""

    path = "/v1/jobs"

    def __init__(self, find: Callable[[], Mapping[str, AnyTask]] = find_tasks) -> None:
        """``find`` is asked once, when the first body is read."""
        self._find = find

    @cached_property
    def _tasks(self) -> Mapping[str, AnyTask]:
        return self._find()

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Take the input, or the inputs.

        Raises:
            InvalidInput: a field is wrong, or the task is none for a line of a batch.
        """
        refuse_unknown(body, _FIELDS)
        task = self._task(body.get("task"))
        single = body.get("inputs") is None
        if single == (body.get("input") is None):
            raise InvalidInput("send exactly one of input and inputs", "input", "invalid_input")
        inputs = [body["input"]] if single else body["inputs"]
        if not isinstance(inputs, list):
            raise InvalidInput("inputs must be an array", "inputs", "invalid_type")
        options = {} if body.get("options") is None else body["options"]
        if not isinstance(options, Mapping):
            raise InvalidInput("options must be an object", "options", "invalid_type")
        if task.conversational:
            refuse_turn(options.get("conversation"), "a line of a batch")

        def reply(
            bare_id: str, created: float, outputs: Sequence[Any], model: str | None = None, /
        ) -> dict[str, Any]:
            return {"output": outputs[0]} if single else {"outputs": list(outputs)}

        return WireRequest(
            task=task.name,
            inputs=counted(inputs, "inputs"),
            options=options,
            names={"inputs[0]": "input"} if single else {},
            reply=reply,
            single=single,
            partial=True,
            stream=options.get("stream") is True,
        )

    def _task(self, name: object) -> AnyTask:
        if not isinstance(name, str):
            raise InvalidInput("task must name a task; see GET /v1/tasks", "task", "invalid_type")
        task = self._tasks.get(name)
        if task is None:
            there_are = ", ".join(known for known, one in self._tasks.items() if one.interactive)
            raise UnknownTask(f"there is no task {name[:80]!r}; the tasks are: {there_are}")
        if not task.interactive:
            raise InvalidInput(
                f"{name} takes minutes to hours and is nothing for each line of a batch; send it "
                "as a job with POST /v1/jobs",
                "task",
                "unsupported_task",
            )
        return task
