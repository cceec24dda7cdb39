"""The client that blocks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar, Unpack, overload

import httpx
from pydantic import BaseModel

from lepton_tasks.client.batch_calls import BatchCalls
from lepton_tasks.client.blocking import BlockingDriver
from lepton_tasks.client.calling import Caller, with_key
from lepton_tasks.client.configuration import DEFAULT_RETRIES, DEFAULT_TIMEOUT, Configuration
from lepton_tasks.client.file_calls import FileCalls
from lepton_tasks.client.handles import DEFAULT_WAIT, JobHandle
from lepton_tasks.client.job_calls import JobCalls
from lepton_tasks.client.jobs import DEFAULT_CHUNK, DEFAULT_WINDOW, JobSteps
from lepton_tasks.client.messages import Request
from lepton_tasks.client.named import Named, Writer
from lepton_tasks.client.submissions import Input, JobFields
from lepton_tasks.client.tasks import ItemError, KnownTasks, TaskName, WriterName, outputs_of
from lepton_tasks.client.views import TaskInfo
from lepton_tasks.managed import Closing
from lepton_tasks.nlp.base import Task

ModelT = TypeVar("ModelT", bound=BaseModel)
OutputT = TypeVar("OutputT")


class Client(KnownTasks, Closing):
    """A client of a lepton-tasks server. Threads may share one; close it at the end.

    Each task is an attribute: ``client.moderation("你好")``. The others go by name or Task
    class: ``client.run("my-task", "你好")``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_retries: int = DEFAULT_RETRIES,
        headers: Mapping[str, str] | None = None,
        http_client: httpx.Client | None = None,
    ) -> None:
        """Prepare a client; nothing is sent.

        Where left out, ``base_url`` is ``LEPTON_BASE_URL`` or the server on this machine, and
        ``api_key`` is ``LEPTON_API_KEY``. ``timeout`` is how many seconds one call may take
        beyond the waiting that it asks for; ``max_retries`` is how often a call is sent again
        that may then succeed. ``http_client`` is one of yours, for proxies or certificates;
        it stays open.

        Raises:
            ConfigError: there is no key, or something cannot be right.
        """
        self.configuration = Configuration.read(base_url, api_key, timeout, max_retries, headers)
        self._own = http_client is None
        self._http = httpx.Client() if http_client is None else http_client
        self._driver = BlockingDriver(self._http, self.configuration)
        self._caller = Caller(self.configuration)
        self.jobs = JobCalls(self._driver, self._caller)
        self.files = FileCalls(self._driver, self._caller)
        self.batches = BatchCalls(self._driver, self._caller, self.files)

    @overload
    def task(self, task: type[Task[Any, ModelT]]) -> Named[ModelT]: ...
    @overload
    def task(self, task: str) -> Named[Any]: ...
    def task(self, task: str | type[Task[Any, Any]]) -> Named[Any]:
        """A task by name, or by the class of a task that is installed here.

        Its outputs are plain JSON where it is neither a task that ships nor given as a class.
        """
        return Named(self._driver, self._caller, outputs_of(task))

    def run(
        self,
        task: str | type[Task[Any, Any]],
        input: Input,
        /,
        *,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> Any:
        """Submit an input and wait for its output; see :meth:`Named.run`."""
        return self.task(task).run(input, timeout=timeout, **fields)

    def submit(
        self,
        task: str | type[Task[Any, Any]],
        input: Input | None = None,
        /,
        *,
        inputs: Sequence[Input] | None = None,
        **fields: Unpack[JobFields],
    ) -> JobHandle[Any]:
        """Submit a job and do not wait for it; see :meth:`Named.submit`."""
        return self.task(task).submit(input, inputs=inputs, **fields)

    def submit_many(
        self,
        task: str | type[Task[Any, Any]],
        inputs: Iterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        **fields: Unpack[JobFields],
    ) -> Generator[JobHandle[Any], None, None]:
        """Submit any number of inputs; see :meth:`Named.submit_many`."""
        return self.task(task).submit_many(inputs, chunk=chunk, **fields)

    def map(
        self,
        task: str | type[Task[Any, Any]],
        inputs: Iterable[Input],
        /,
        *,
        chunk: int = DEFAULT_CHUNK,
        window: int = DEFAULT_WINDOW,
        timeout: float | None = DEFAULT_WAIT,
        **fields: Unpack[JobFields],
    ) -> Generator[Any | ItemError, None, None]:
        """Yield the output of each input, in order; see :meth:`Named.map`."""
        return self.task(task).map(inputs, chunk=chunk, window=window, timeout=timeout, **fields)

    def tasks(self) -> list[TaskInfo]:
        """The tasks that the server takes, with their schemas."""
        return self._driver.run(JobSteps(self._caller).tasks())

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Call any other route, such as ``/v1/corpora``, with the same retries and errors.

        Returns the JSON of the answer.
        """
        request = Request(method, path, params or {}, json)
        if method == "POST":
            request = with_key(request, idempotency_key)
        return self._driver.run(self._caller.json(request))

    def named(self, name: TaskName[OutputT]) -> Named[OutputT]:
        """A task that ships."""
        return Named(self._driver, self._caller, name.outputs())

    def writer(self, name: WriterName[OutputT]) -> Writer[OutputT]:
        """A task that ships and writes."""
        return Writer(self._driver, self._caller, name.outputs())

    def close(self) -> None:
        """Close its connections."""
        if self._own:
            self._http.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.configuration.base_url}>"
