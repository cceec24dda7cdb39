"""The lines of a batch: requests written on the fly, results read back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

import orjson

from lepton_tasks.client.submissions import item_json
from lepton_tasks.client.tasks import ItemError, Outputs
from lepton_tasks.errors import InvalidInput

OutputT = TypeVar("OutputT")

JOBS: Final = "/v1/jobs"
_TEXT_FIELDS: Final = {
    "/v1/moderations": "input",
    "/v1/embeddings": "input",
    "/v1/completions": "prompt",
}


@dataclass(frozen=True, slots=True)
class LineWriter:
    """Writes the request of an item: for a task by ``/v1/jobs``, else for an endpoint."""

    endpoint: str
    task: str | None = None
    options: Mapping[str, Any] | None = None

    def line(self, number: int, item: Any) -> bytes:
        """One line, with its end. Items are counted from 1; a pair has its ``custom_id`` first.

        >>> writer = LineWriter("/v1/moderations")
        >>> orjson.loads(writer.line(1, "你好"))["body"]
        {'input': '你好'}
        >>> orjson.loads(LineWriter(JOBS, "sentiment").line(2, ("review-7", "很好")))
        {'custom_id': 'review-7', 'method': 'POST', 'url': '/v1/jobs', 'body': {'task': ...
        """
        custom_id = str(number)
        if isinstance(item, tuple):
            custom_id, item = item
        if isinstance(item, Mapping) and "custom_id" in item and "body" in item:
            line = {"method": "POST", "url": self.endpoint, **item}
        else:
            line = {
                "custom_id": custom_id,
                "method": "POST",
                "url": self.endpoint,
                "body": self._body(number, item),
            }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _body(self, number: int, item: Any) -> Mapping[str, Any]:
        if self.task is not None:
            body = {"task": self.task, "input": item_json(self.task, item)}
            return body if self.options is None else {**body, "options": self.options}
        given = self.options or {}
        if isinstance(item, str) and self.endpoint == "/v1/chat/completions":
            return {**given, "messages": [{"role": "user", "content": item}]}
        if isinstance(item, str) and self.endpoint in _TEXT_FIELDS:
            return {**given, _TEXT_FIELDS[self.endpoint]: item}
        if isinstance(item, Mapping):
            return {**given, **item}
        form = "a text or a body" if self.endpoint != JOBS else "a body"
        raise InvalidInput(
            f"item {number:,} must be {form} for {self.endpoint}, not {type(item).__name__}",
            "source",
        )


@dataclass(frozen=True, slots=True)
class BatchResult(Generic[OutputT]):
    """What became of a line. ``output`` is an ItemError where it has none.

    ``output`` is the task's own output where the batch was made for a task, else the body of
    the endpoint's answer.
    """

    custom_id: str
    output: OutputT | ItemError
    id: str
    status_code: int | None = None
    cursor: str | None = None
    """Place of the line: results go on behind it with ``after=``, in another process, too."""

    @property
    def ok(self) -> bool:
        """Whether there is an output."""
        return not isinstance(self.output, ItemError)


def read_result(
    line: Mapping[str, Any], outputs: Outputs[OutputT], *, job: bool, cursor: str | None = None
) -> BatchResult[OutputT]:
    """Read a line of a batch's output or error file; ``job``: its endpoint is ``/v1/jobs``.

    >>> line = {"id": "batch_req_1", "custom_id": "a", "error": None,
    ...     "response": {"status_code": 200, "request_id": "r", "body": {"output": {"n": 2}}}}
    >>> read_result(line, Outputs("noop"), job=True)
    BatchResult(custom_id='a', output={'n': 2}, id='batch_req_1', status_code=200, ...
    """
    response = line.get("response") or {}
    body = response.get("body")
    error = line.get("error")
    if error is None and isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        error = body["error"]
    output: OutputT | ItemError
    if error is not None:
        output = ItemError(str(error.get("code")), str(error.get("message")))
    elif job and isinstance(body, Mapping) and "output" in body:
        output = outputs.read(body["output"])
    else:
        output = cast("OutputT", body)
    return BatchResult(
        str(line["custom_id"]), output, str(line["id"]), response.get("status_code"), cursor
    )
