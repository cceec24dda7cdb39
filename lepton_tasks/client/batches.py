"""Batches: made of files or of items written on the fly, followed, read while they run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import partial
from os import PathLike
from typing import IO, Any, Final, TypedDict, TypeVar

from lepton_tasks.client.batch_lines import JOBS, LineWriter, read_result
from lepton_tasks.client.calling import MOST_PAGE, Caller, with_key
from lepton_tasks.client.effects import END, Close, Emit, Pause, Pull, Steps, read
from lepton_tasks.client.errors import BatchFailed, ClientError, StillWaiting
from lepton_tasks.client.files import FileSteps, opened
from lepton_tasks.client.messages import Failure, FilePart, Request, parsed
from lepton_tasks.client.sse import EventReader
from lepton_tasks.client.tasks import Outputs
from lepton_tasks.client.views import Batch, read_view
from lepton_tasks.errors import InvalidInput
from lepton_tasks.queues import Priority
from lepton_tasks.states import BatchState

PATH: Final = "/v1/batches"
PURPOSE: Final = "batch"
FILES: Final = ("output", "errors")
"""The files of a batch in the order in which results are given."""
_HEARTBEAT_SECONDS: Final = 30.0
"""A stream of results says something twice as often."""
_GIVE_UP_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
_WAIT_RETRIES: Final = 4
"""Who follows a batch has time: a call is repeated so many times as often as another."""

OutputT = TypeVar("OutputT")


class BatchFields(TypedDict, total=False):
    """What a batch may have beside its lines.

    ``completion_window`` is its deadline, such as ``30m``, ``24h`` (where left out) or ``7d``.
    ``output_seconds`` is how long the files that it makes are kept. ``idempotency_key`` makes
    a repeated call answer with the first batch, where it is made of the same uploaded file.
    """

    completion_window: str
    metadata: Mapping[str, str] | None
    priority: Priority | str | None
    webhook: str | None
    output_seconds: int | None
    idempotency_key: str | None


def order(input_file_id: str, endpoint: str, fields: BatchFields) -> Request:
    """The request that makes a batch of an uploaded file.

    >>> order("file_1", "/v1/moderations", {"priority": "bulk"}).json
    {'input_file_id': 'file_1', 'endpoint': '/v1/moderations', 'completion_window': '24h', ...
    """
    body: dict[str, Any] = {
        "input_file_id": input_file_id,
        "endpoint": endpoint,
        "completion_window": fields.get("completion_window", "24h"),
        "priority": None if fields.get("priority") is None else str(fields.get("priority")),
        "webhook": fields.get("webhook"),
        "metadata": None if fields.get("metadata") is None else dict(fields["metadata"] or {}),
    }
    seconds = fields.get("output_seconds")
    if seconds is not None:
        body["output_expires_after"] = {"anchor": "created_at", "seconds": seconds}
    given = {name: value for name, value in body.items() if value is not None}
    return with_key(Request("POST", PATH, json=given), fields.get("idempotency_key"))


def line_writer(
    endpoint: str | None, task: str | None, options: Mapping[str, Any] | None
) -> LineWriter:
    """Who writes the lines: for an endpoint, or for a task of ours.

    Raises:
        InvalidInput: neither is given, or both.
    """
    if (endpoint is None) == (task is None):
        raise InvalidInput("give endpoint= or task=, one of them", "endpoint")
    return LineWriter(endpoint or JOBS, task, options)


class BatchSteps:
    """Operations on batches."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._files = FileSteps(caller)

    def of_items(self, writer: LineWriter, fields: BatchFields) -> Steps[Batch]:
        """Pull items, write their lines to a file on disk, upload it and make a batch of it."""
        with tempfile.TemporaryFile() as lines:
            number = 0
            while (item := (yield Pull())) is not END:
                number += 1
                lines.write(writer.line(number, item))
            if not number:
                raise InvalidInput("there are no items; give at least one", "source")
            lines.flush()
            part = FilePart(f"{writer.task or 'batch'}.jsonl", lines)
            return (yield from self._of_part(part, writer.endpoint, fields))

    def of_path(
        self, source: str | PathLike[str] | IO[bytes], endpoint: str, fields: BatchFields
    ) -> Steps[Batch]:
        """Upload a file of requests and make a batch of it."""
        with opened(source, None) as part:
            return (yield from self._of_part(part, endpoint, fields))

    def of_file(self, file_id: str, endpoint: str, fields: BatchFields) -> Steps[Batch]:
        """Make a batch of a file that was uploaded."""
        made = yield from self._caller.json(order(file_id, endpoint, fields))
        return read_view(Batch, made)

    def get(self, batch_id: str, *, patient: bool = False) -> Steps[Batch]:
        """Read a batch; ``patient`` is who follows it."""
        request = Request("GET", f"{PATH}/{batch_id}")
        retries = self._patience if patient else None
        return read_view(Batch, (yield from self._caller.json(request, retries=retries)))

    def listed(self, params: Mapping[str, Any]) -> Steps[None]:
        """Emit batches, newest first."""
        yield from self._caller.pages(
            PATH, {"limit": MOST_PAGE, **params}, partial(read_view, Batch)
        )

    def cancel(self, batch_id: str) -> Steps[Batch]:
        """Cancel a batch; what is done is kept."""
        found = yield from self._caller.json(Request("POST", f"{PATH}/{batch_id}/cancel"))
        return read_view(Batch, found)

    def wait(self, batch_id: str, timeout: float | None) -> Steps[Batch]:
        """Read a batch once it has ended.

        Raises:
            StillWaiting: it has not within ``timeout`` seconds.
        """
        end = float("inf") if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not (batch := (yield from self.get(batch_id, patient=True))).ended:
            left = end - time.monotonic()
            if left <= 0:
                raise StillWaiting((batch_id,), timeout or 0.0)
            yield Pause(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return batch

    def results(
        self, batch_id: str, outputs: Outputs[OutputT], after: str | None = None
    ) -> Steps[None]:
        """Emit the result of each line once: outputs as they come, then what has none.

        ``after`` is the cursor of the last result that is known already.

        Raises:
            BatchFailed: its file was refused.
        """
        batch = yield from self.get(batch_id, patient=True)
        first, cursor = place_of(after)
        for file in FILES[FILES.index(first) :]:
            status = yield from self._follow(batch, file, cursor, outputs)
            if status == BatchState.FAILED:
                check_not_failed((yield from self.get(batch_id, patient=True)))
            cursor = None

    def _follow(
        self, batch: Batch, file: str, cursor: str | None, outputs: Outputs[OutputT]
    ) -> Steps[str]:
        """Emit the lines of one of a batch's files; ends with the batch's status at its end.

        They come as server-sent events, whose ids are cursors: where the link breaks, or the
        server stops, the next one goes on behind the last line.
        """
        attempt = 1
        while True:
            resumed = {} if cursor is None else {"last-event-id": cursor}
            request = Request(
                "GET",
                f"{PATH}/{batch.id}/results",
                {"file": file},
                headers={"accept": "text/event-stream", **resumed},
                patience=_HEARTBEAT_SECONDS,
            )
            stream = yield from self._caller.open(request, retries=self._patience)
            reader = EventReader()
            broken = Failure("the server hung up before the last result")
            try:
                while isinstance(piece := (yield from read(stream)), bytes):
                    for event in reader.feed(piece):
                        if event.name == "done":
                            return str(parsed(event.data.encode())["status"])
                        if event.name == "error":  # the next call is told it by its status
                            broken = Failure("the server cannot read on")
                        else:
                            cursor = event.id
                            attempt = 1
                            line = parsed(event.data.encode())
                            yield Emit(
                                read_result(
                                    line,
                                    outputs,
                                    job=batch.endpoint == JOBS,
                                    cursor=f"{file}:{cursor}",
                                )
                            )
            finally:
                yield Close(stream)
            attempt += 1
            yield from self._caller.before_next(request, piece or broken, attempt, self._patience)

    def _of_part(self, part: FilePart, endpoint: str, fields: BatchFields) -> Steps[Batch]:
        file = yield from self._files.upload(part, PURPOSE)
        try:
            return (yield from self.of_file(file.id, endpoint, fields))
        except ClientError:
            yield from self._drop(file.id)
            raise

    def _drop(self, file_id: str) -> Steps[None]:
        """Delete a file that no batch was made of, if that can be done."""
        request = Request("DELETE", f"/v1/files/{file_id}", most=_GIVE_UP_SECONDS)
        try:
            yield from self._caller.json(request, retries=0)
        except ClientError:
            return

    @property
    def _patience(self) -> int:
        return self._caller.configuration.max_retries * _WAIT_RETRIES


def place_of(cursor: str | None) -> tuple[str, str | None]:
    """The file that a result's cursor is of, and the place in it.

    >>> place_of("errors:120"), place_of(None)
    (('errors', '120'), ('output', None))

    Raises:
        InvalidInput: it is none.
    """
    if cursor is None:
        return FILES[0], None
    file, _, place = cursor.partition(":")
    if file not in FILES or not place.isdecimal():
        raise InvalidInput("after must be the cursor of a result of this batch", "after")
    return file, place


def check_not_failed(batch: Batch) -> None:
    """Raise BatchFailed for a batch whose file was refused."""
    if batch.status == BatchState.FAILED:
        raise BatchFailed(batch.id, batch.status, list((batch.errors or {}).get("data", [])))
