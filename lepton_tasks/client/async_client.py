"""The client of an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, Unpack, overload

import httpx
from pydantic import BaseModel

from lepton_tasks.client.awaiting import AwaitingDriver
from lepton_tasks.client.batch_calls import AsyncBatchCalls
from lepton_tasks.client.calling import Caller, with_key
from lepton_tasks.client.configuration import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Configuration
from lepton_tasks.client.file_calls import AsyncFileCalls
from lepton_tasks.client.handles import DEFAULT_WAIT, AsyncJobHandle
from lepton_tasks.client.job_calls import AsyncJobCalls
from lepton_tasks.client.jobs import DEFAULT_CHUNK, DEFAULT_WINDOW, JobSteps
from lepton_tasks.client.messages import Request
from lepton_tasks.client.named import AsyncNamed, AsyncWriter
from lepton_tasks.client.submissions import Input, JobFields
from lepton_tasks.client.tasks import ItemError, KnownTasks, TaskName, WriterName, outputs_of
from lepton_tasks.client.views import TaskInfo
from lepton_tasks.managed import AsyncClosing
from lepton_tasks.nlp.base import Task

ModelT = TypeVar("ModelT", bound=BaseModel)
OutputT = TypeVar("OutputT")


class AsyncClient(KnownTasks, AsyncClosing):
    """A client of a lepton-tasks server for one event loop; see :class:`Client`.

    ``await client.moderation("你好")``; what yields is iterated over with ``async for``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_RETRIES,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.AsyncClient | None = None,
    ) -> None:
        """Prepare a client; see :meth:`Client.__init__`."""
        self.configuration = Configuration.read(base_url, api_key, timeout, max_retries, headers)
        self._own = http_client is None
        self._http = httpx.AsyncClient() if http_client is None else http_client
        self._driver = AwaitingDriver(self._http, self.configuration)
        self._caller = Caller(self.configuration)
        self.jobs = AsyncJobCalls(self._driver, self._caller)
        self.files = AsyncFileCalls(self._driver, self._caller)
        self.batches = AsyncBatchCalls(self._driver, self._caller, self.files)

    @overload
    def task(self, task: type[Task[Any, ModelT]]) -> AsyncNamed[ModelT]: ...
    @overload
    def task(self, task: str) -> AsyncNamed[Any]: ...
    def task(self, task: str | type[Task[Any, Any]]) -> AsyncNamed[Any]:
        """A task by name, or by the class of a task that is installed here."""
        return AsyncNamed(self._driver, self._caller, outputs_of(task))

    async def run(
        self,
        task: str | type[Task[Any, Any]],
        input: Input,
        /,
        *,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> Any:
        """Submit an input and wait for its output; see :meth:`Named.run`."""
        return await self.task(task).run(input, timeout=timeout, **fields)

    async def submit(
        self,
        task: str | type[Task[Any, Any]],
        input: Input | None = None,
        /,
        *,
        inputs: Sequence[Input] | None = None,
        **fields: Unpack[JobFields],
    ) -> AsyncJobHandle[Any]:
        """Submit a job and do not wait for it; see :meth:`Named.submit`."""
        return await self.task(task).submit(input, inputs=inputs, **fields)

    def submit_many(
        self,
        task: str | type[Task[Any, Any]],
        inputs: Iterable[Input] | AsyncIterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        **fields: Unpack[JobFields],
    ) -> AsyncGenerator[AsyncJobHandle[Any], None]:
        """Submit any number of inputs; see :meth:`Named.submit_many`."""
        return self.task(task).submit_many(inputs, chunk=chunk, **fields)

    def map(
        self,
        task: str | type[Task[Any, Any]],
        inputs: Iterable[Input] | AsyncIterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> AsyncGenerator[Any | ItemError, None]:
        """Yield the output of each input, in order; see :meth:`Named.map`."""
        return self.task(task).map(inputs, chunk=chunk, window=window, timeout=timeout, **fields)

    async def tasks(self) -> list[TaskInfo]:
        """The tasks that the server takes, with their schemas."""
        return await self._driver.run(JobSteps(self._caller).tasks())

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Call any other route; see :meth:`Client.request`."""
        request = Request(method, path, params or {}, json)
        if method == "POST":
            request = with_key(request, idempotency_key)
        return await self._driver.run(self._caller.json(request))

    def named(self, name: TaskName[OutputT]) -> AsyncNamed[OutputT]:
        """A task that ships."""
        return AsyncNamed(self._driver, self._caller, name.outputs())

    def writer(self, name: WriterName[OutputT]) -> AsyncWriter[OutputT]:
        """A task that ships and writes."""
        return AsyncWriter(self._driver, self._caller, name.outputs())

    async def aclose(self) -> None:
        """Close its connections."""
        if self._own:
            await self._http.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.configuration.base_url}>"
